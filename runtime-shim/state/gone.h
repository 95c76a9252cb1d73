// Leases whose containers are gone, found without the ledger's lock: looking at a container reads files of
// /proc and of the low-level runtime, which would hold up everybody who waits for the lock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime-shim/state/ledger.h"

namespace hami::state {

// Those of `leases` whose container is gone: it stays gone, so that this is true later too. Looks at the
// lease of `key` and at no more than `most` others, and which ones differs from process to process.
[[nodiscard]] std::vector<Lease> gone_among(const std::vector<Lease>& leases, const std::string& key = "",
                                            std::size_t most = SIZE_MAX);

// Has `use` try with the ledger open; again, after leases of containers that are gone have been ended, when
// it fails with exhausted and one of the leases it saw turns out to be such a one. Before the first time some
// others are looked at, so that the dead do not wait until there is no room.
[[nodiscard]] Result<> in_turn(const Scope& scope, const std::function<Result<>(Ledger&)>& use);

// Ends every lease of the node whose container is gone, and removes what writers left that died. Returns the
// keys that ended.
[[nodiscard]] Result<std::vector<std::string>> end_gone(const std::string& state_dir);

}  // namespace hami::state
