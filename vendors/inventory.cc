#include "vendors/inventory.h"

#include <algorithm>

#include "oci-config/base/text.h"

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

}  // namespace hami::vendors
