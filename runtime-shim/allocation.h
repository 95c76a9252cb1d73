// Request + what the node has + what is held → who gets what. Pure: no file, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/request/policy.h"
#include "runtime-shim/request/request.h"
#include "runtime-shim/state/ledger.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::shim {

// One device for the container.
struct Grant {
  std::size_t device = 0;  // position in Inventory::devices
  std::string uuid;
  Bytes memory_limit;                        // 0: no limit
  Percent core_limit;                        // 0: no limit
  state::Holding holding;                    // what the ledger records
  std::optional<std::uint32_t> subdevice{};  // number of what the driver made for it
  std::optional<vendors::Mode> mode{};       // that the request chose
  friend bool operator==(const Grant&, const Grant&) = default;

  // Something of the device must be held back from the container.
  [[nodiscard]] bool is_slice() const { return memory_limit.value != 0 || core_limit.value != 0; }
};

// Grants in the order of the node's devices, which is the order the container sees. None of them: driver
// files without a device.
struct VendorAllocation {
  std::string vendor;
  std::vector<Grant> grants;
  friend bool operator==(const VendorAllocation&, const VendorAllocation&) = default;
};

struct Allocation {
  std::vector<VendorAllocation> vendors;  // in the order of Request::vendors
  friend bool operator==(const Allocation&, const Allocation&) = default;
};

// One vendor of this node.
struct VendorNode {
  vendors::Recipe recipe;
  vendors::Inventory inventory;
};

// The node as a request in this mode sees it.
[[nodiscard]] VendorNode in_mode(VendorNode node, vendors::Mode mode);

// Gives each vendor's request different devices with room for it: memory and cores up to their scaled
// capacity, at most split_count containers on one device, nobody beside an exclusive holder. `node` has one
// entry per Request::vendors, in that order. Deterministic. Fails with exhausted (the message says what was
// asked, what every device has left, and what to do), with not_found for a device this node lacks, or with
// invalid_request.
[[nodiscard]] Result<Allocation> allocate(const Request& request, const std::vector<VendorNode>& node,
                                          const std::vector<state::Lease>& leases, const Policy& policy);

}  // namespace hami::shim
