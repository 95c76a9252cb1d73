// The ledger's lock: one writer at a time on the node.
#pragma once

#include <cstdint>
#include <string>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::state {

// Opens the file (created 0600 when missing) and takes flock(2)'s exclusive lock on it, waiting in the
// kernel's queue for at most `timeout_ms`. The kernel releases the lock when the descriptor is closed, also
// by SIGKILL. Uses a timer of its own for the calling thread and SIGALRM while it waits; both are as before
// when it returns.
[[nodiscard]] Result<UniqueFd> lock_file(const std::string& path, int timeout_ms);

// On a clock that nobody sets.
[[nodiscard]] std::int64_t monotonic_ms();

}  // namespace hami::state
