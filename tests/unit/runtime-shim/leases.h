// Leases for the tests of the ledger, and of what works on it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "runtime-shim/state/ledger.h"
#include "runtime-shim/state/liveness.h"

namespace hami::state::testing {

// A lease of this process: its creator lives. The engine's directory lies in `dir`.
inline Lease living_lease(const std::string& key, const std::filesystem::path& dir,
                          std::vector<Holding> holdings) {
  Lease lease;
  lease.key = lease.container_id = key;
  lease.engine_root = dir / "runc";
  lease.bundle = "/bundle";
  lease.source = "test";
  lease.boot_id = boot_id();
  lease.creator_pid = ::getpid();
  lease.creator_start = *start_time(::getpid());
  lease.created_at = 1700000000;
  lease.created_uptime = 4711;
  lease.holdings = std::move(holdings);
  return lease;
}

}  // namespace hami::state::testing
