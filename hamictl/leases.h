// `hamictl ps` and `hamictl release`: the node ledger for people.
#pragma once

#include <string>

#include "oci-config/base/result.h"

namespace hami::hamictl {

// A table of the leases, or JSON lines with `json`: one line per container and device.
[[nodiscard]] Result<std::string> list_leases(const std::string& state_dir, bool json);

// Ends the leases whose container is gone; one line per lease that ended.
[[nodiscard]] Result<std::string> release_stale(const std::string& state_dir);

// Ends the lease with this key or of the container with this id. Fails with not_found when there is none,
// with denied when the container still runs: its slice would be given to somebody else.
[[nodiscard]] Result<std::string> release_one(const std::string& state_dir, const std::string& name);

}  // namespace hami::hamictl
