// Proof that a JSON text means the same to every consumer, for those who edit the text itself.
#pragma once

#include <string_view>

#include "oci-config/base/result.h"

namespace hami {

// Succeeds when `text` is what read_json accepts; builds nothing. Fails with the same errors.
[[nodiscard]] Result<> scan_json(std::string_view text, int max_depth);

}  // namespace hami
