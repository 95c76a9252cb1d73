// Which devices a scheduler's decision means for one container, once the node's devices are known.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/allocation.h"
#include "runtime-shim/request/request.h"

namespace hami::shim {

struct Resolution {
  Decided decided;
  std::optional<std::size_t> group;  // the container's, to be claimed
  std::string warning;               // for the log; empty: nothing unusual
  friend bool operator==(const Resolution&, const Resolution&) = default;
};

// `claimed`: groups that other containers of the Pod hold. Fails with denied when the group that fits is
// another container's, with invalid_request when annotation and variables contradict each other (the message
// names both) or amounts are no limits, with not_found for a device this node lacks.
[[nodiscard]] Result<Resolution> resolve(const Scheduled& scheduled, const VendorNode& node,
                                         const std::vector<std::size_t>& claimed);

}  // namespace hami::shim
