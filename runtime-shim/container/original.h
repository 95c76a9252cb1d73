// A bundle's config.json as the engine wrote it, kept beside the one we edited. An engine that calls create
// again with the same bundle, and a person who runs one bundle many times, then get what the first create
// gave.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami::shim {

// Remembers that `edited` was made from `original`. The file is beside `config_path` and hidden.
[[nodiscard]] Result<> keep_original(const std::string& config_path, std::string_view original,
                                     std::string_view edited);

// The original of `text`. Fails with invalid_spec when none was kept, or `text` is not what we wrote.
[[nodiscard]] Result<std::string> original_of(const std::string& config_path, std::string_view text);

// Removes what keep_original wrote; no file is success.
void forget_original(const std::string& config_path);

}  // namespace hami::shim
