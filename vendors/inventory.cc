#include "vendors/inventory.h"

#include <algorithm>

#include "oci-config/base/parts.h"
#include "oci-config/base/text.h"
#include "vendors/recipe.h"

namespace hami::vendors {

const Device* Inventory::find(std::string_view name) const {
  const auto index = text::parse_u64(name);
  for (const auto& device : devices) {
    if (index && device.index == *index) return &device;
    // Identities are hexadecimal; people copy them in either case.
    if (text::lower(device.uuid) == text::lower(name)) return &device;
    if (std::find(device.aliases.begin(), device.aliases.end(), name) != device.aliases.end()) return &device;
  }
  return nullptr;
}

std::uint32_t core_steps_of(const SliceRules& rules, const Device& device) {
  const auto field = device.fields.find(rules.core_steps_field);
  const auto told = field == device.fields.end() ? std::nullopt : text::parse_u64(field->second);
  const std::uint64_t steps = told.value_or(rules.core_steps);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(steps, kMaxParts));
}

}  // namespace hami::vendors
