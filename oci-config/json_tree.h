// JSON text → json-c tree, without json-c's own reader.
#pragma once

#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/document.h"

namespace hami::oci {

// The tree of what read_json accepts; numbers keep their spelling. json-c's reader accepts single quotes,
// NaN, control characters, duplicate members, saturating integers and lone surrogates; runc and crun disagree
// on what some of these mean, so a document with them cannot be edited safely. Ours is faster, too.
[[nodiscard]] Result<JsonPtr> read_tree(std::string_view text, int max_depth);

}  // namespace hami::oci
