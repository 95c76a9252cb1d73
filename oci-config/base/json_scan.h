// A strict reader of JSON text that builds nothing: it proves that the text means the same to every consumer.
#pragma once

#include <string_view>

#include "oci-config/base/result.h"

namespace hami {

// Succeeds when `text` is one JSON object by RFC 8259, in valid UTF-8, without a byte order mark, nested at
// most `max_depth` deep, with no member name twice in one object (after decoding escapes), no lone surrogate,
// and with integers that fit 64 bits. Fails with invalid_spec: "line 3, column 14: duplicate member 'env'".
//
// json-c accepts single quotes, NaN, control characters, duplicate members, saturating integers and lone
// surrogates; runc and crun disagree on what some of these mean, so a document with them cannot be edited
// safely.
[[nodiscard]] Result<> scan_json(std::string_view text, int max_depth);

}  // namespace hami
