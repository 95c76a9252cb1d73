// Definitions of custom resources, as platforms keep them in ConfigMaps → a recipe's `resources`.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami::hamictl {

// `text` holds ConfigMaps, one a document, whose `data` has key, dataType, defaultValue, group, limits,
// requests, resourceUnit and descriptions. Gives an overlay for `recipe` with their names, the descriptions
// as comments. Fails with invalid_config on a definition that is no whole number or has no key.
[[nodiscard]] Result<std::string> import_resources(std::string_view text, std::string_view file_name,
                                                   std::string_view recipe);

}  // namespace hami::hamictl
