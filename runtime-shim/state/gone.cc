#include "runtime-shim/state/gone.h"

#include <unistd.h>

#include <algorithm>

namespace hami::state {

namespace {

// Leases that a create looks at beside its own work; all of them only when there is no room.
constexpr std::size_t kSomeChecks = 16;

}  // namespace

std::vector<Lease> gone_among(const std::vector<Lease>& leases, const std::string& key, std::size_t most) {
  std::vector<Lease> gone;
  const std::size_t count = leases.size();
  const std::size_t first = most < count ? static_cast<std::size_t>(::getpid()) % count : 0;
  std::size_t looked = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Lease& lease = leases[(first + i) % count];
    if (lease.key != key && looked++ >= most) continue;
    if (is_stale(lease)) gone.push_back(lease);
  }
  return gone;
}

Result<> in_turn(const Scope& scope, const std::function<Result<>(Ledger&)>& use) {
  const Snapshot snapshot = Ledger::look(scope);
  std::vector<Lease> gone = gone_among(snapshot.leases, scope.key, kSomeChecks);
  while (true) {
    Result<> done;
    std::vector<Lease> seen;
    {
      HAMI_TRY(auto ledger, Ledger::open(scope, snapshot));
      HAMI_CHECK(ledger.end(gone));
      done = use(ledger);
      if (done || done.error().code != Errc::exhausted) return done;
      seen = ledger.leases();
    }
    // If all their containers live now they did then, and there was no room.
    gone = gone_among(seen);
    if (gone.empty()) return done;
  }
}

Result<std::vector<std::string>> end_gone(const std::string& state_dir) {
  const Scope all{state_dir, std::nullopt, "", 5000};
  const Snapshot snapshot = Ledger::look(all);
  const auto gone = gone_among(snapshot.leases);
  HAMI_TRY(auto ledger, Ledger::open(all, snapshot));
  HAMI_TRY(auto ended, ledger.end(gone));
  HAMI_CHECK(ledger.remove_orphans());
  return ended;
}

}  // namespace hami::state
