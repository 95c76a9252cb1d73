// The device nodes that are one device's own, for telling a device that somebody else put into a container.
#pragma once

#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/edits.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// For each device of the inventory, in its order, the nodes that the recipe gives with this device and not
// without any. A device whose nodes this node lacks has none.
[[nodiscard]] Result<std::vector<std::vector<oci::DeviceEdit>>> own_nodes(const Recipe& recipe,
                                                                          const Inventory& inventory);

}  // namespace hami::vendors
