// Devices that an engine gives by itself: --device, its own support of CDI, the nodes of a device plugin.
// Nobody counts them, so the ledger has to: a slice of such a device would have a neighbour without limits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/edits.h"
#include "oci-config/view.h"
#include "runtime-shim/request/policy.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::shim {

// What requests for such devices name as the place where they were found.
inline constexpr const char* kEngineDevices = "linux.devices";

// Cheap test on the raw text of a document: may it have a device node other than those of every container?
[[nodiscard]] bool may_have_device(std::string_view text);

// Whether this container's nodes are looked at: policy says so, and it is not privileged. A privileged
// container has every node of the host, and holds none of them.
[[nodiscard]] bool counts_engine_devices(const oci::ContainerView& container, const Policy& policy);

// Uuids of the devices all of whose own nodes are among the container's, or among `more`; of a device and a
// partition of it, the partition. Fails where the recipe cannot say which nodes are whose.
[[nodiscard]] Result<std::vector<std::string>> devices_given(const oci::ContainerView& container,
                                                             const std::vector<oci::DeviceEdit>& more,
                                                             const vendors::Recipe& recipe,
                                                             const vendors::Inventory& inventory);

}  // namespace hami::shim
