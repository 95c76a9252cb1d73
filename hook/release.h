// The poststop stage: the end of a container's lease.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami::hook {

// Ends the lease `key` of the ledger below `state_dir` and removes the container's directory. Success when
// there is no such lease, or no such ledger.
[[nodiscard]] Result<> release(const std::string& key, const std::string& state_dir);

// Ends the leases of the container whose state is `state_text`: of its id, with its bundle or with none.
[[nodiscard]] Result<> release_container(std::string_view state_text, const std::string& state_dir);

}  // namespace hami::hook
