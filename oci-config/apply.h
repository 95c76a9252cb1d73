// Document + ContainerEdits → Document.
#pragma once

#include "oci-config/document.h"
#include "oci-config/edits.h"

namespace hami::oci {

// Applies `edits`; applying them again gives the same document.
//
// Devices are keyed by path, mounts by destination, variables by name, hooks by path and args. A device node
// gets an entry in linux.devices and an allow rule for exactly its numbers at the end of
// linux.resources.devices (rules apply in order, the last match wins); when the document has no rules at all
// a deny-all rule is put first, since crun allows everything then. Mounts are appended, ours sorted so that a
// directory comes before a file in it. A mount of the user at or below one of our destinations, unless equal
// to ours, is an invalid_request that names it. Members that are missing are created; a member of another
// type is invalid_spec. Source: runtime-spec 1.2 config.md and config-linux.md; CDI container-edits.
[[nodiscard]] Result<Document> apply(Document document, const ContainerEdits& edits);

}  // namespace hami::oci
