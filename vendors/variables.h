// ${name} in a recipe's templates.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

using Variables = std::map<std::string, std::string>;

struct VariableUse {
  std::string name;
  std::size_t offset = 0;  // of the '$' in the text
  friend bool operator==(const VariableUse&, const VariableUse&) = default;
};

// Every ${name} in order. Fails with the offset of a '$' that does not begin a well-formed one.
[[nodiscard]] tl::expected<std::vector<VariableUse>, std::size_t> variables_in(std::string_view text);

// `text` with every variable replaced; fails with not_found, naming a variable that has no value here.
[[nodiscard]] Result<std::string> expand(std::string_view text, const Variables& values);

}  // namespace hami::vendors
