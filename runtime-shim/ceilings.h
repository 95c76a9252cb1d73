// What the containers of one namespace may hold together.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/allocation.h"
#include "runtime-shim/request/policy.h"
#include "runtime-shim/state/ledger.h"

namespace hami::shim {

// Fails with exhausted when what the namespace's leases hold and this allocation are more than its ceiling:
// the message names the bound, what is asked and what is held. A container outside Kubernetes (no namespace)
// has no ceiling.
[[nodiscard]] Result<> check_ceiling(const Policy& policy, const std::string& pod_namespace,
                                     const Allocation& allocation, const std::vector<state::Lease>& leases);

}  // namespace hami::shim
