// Document + ContainerEdits → Document.
#pragma once

#include "oci-config/document.h"
#include "oci-config/edits.h"

namespace hami::oci {

// Applies `edits`; applying them again gives the same document.
//
// Devices are keyed by path, mounts by destination, variables by name, hooks by path and args; paths are
// compared in normal form. A device node gets an entry in linux.devices and an allow rule for exactly its
// numbers at the end of linux.resources.devices (rules apply in order, the last match wins); rules of the
// container stay, and when it has none at all a deny-all rule is put first, since crun allows everything
// then. Mounts are appended, a directory before what is mounted in it. A mount of the container at or below
// one of our destinations, unless of the same source at the same place, is an invalid_request that names it.
// A variable that an edit names is there once afterwards: set_default keeps the last value it had. Members
// that are missing or null are created, except process; a member of another type is invalid_spec. Source:
// runtime-spec 1.2 config.md and config-linux.md; CDI container-edits.
[[nodiscard]] Result<Document> apply(Document document, const ContainerEdits& edits);

}  // namespace hami::oci
