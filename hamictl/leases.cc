#include "hamictl/leases.h"

#include "hamictl/columns.h"
#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/ledger.h"
#include "runtime-shim/subdevices.h"

namespace hami::hamictl {

namespace {

std::string amount(const state::Holding& holding) {
  return holding.memory.value == 0 ? "whole" : to_text(holding.memory);
}

std::string table_row(const state::Lease& lease, const state::Holding& holding) {
  const std::string cores =
      holding.cores.value == 0 ? "-" : text::cat({std::to_string(holding.cores.value), "%"});
  return text::cat({padded(lease.container_id, 24), padded(holding.device, 42), padded(amount(holding), 12),
                    padded(cores, 6), lease.key, "\n"});
}

std::string json_row(const state::Lease& lease, const state::Holding& holding) {
  return text::cat({"{\"container\":", json_string(lease.container_id), ",\"key\":", json_string(lease.key),
                    ",\"vendor\":", json_string(holding.vendor), ",\"device\":", json_string(holding.device),
                    ",\"memory\":", text::number(holding.memory.value),
                    ",\"cores\":", std::to_string(holding.cores.value), "}\n"});
}

// Warnings about slices that vendors' drivers still have.
std::string reclaimed(const std::string& state_dir) {
  std::string out;
  for (const auto& problem : shim::reclaim_subdevices(state_dir))
    out += text::cat({"warning: ", problem, "\n"});
  return out;
}

// The key of the lease that was ended.
Result<std::string> end_lease(const std::string& state_dir, const std::string& name) {
  HAMI_TRY(auto ledger, state::Ledger::open(state_dir));
  for (const auto& lease : ledger.leases()) {
    if (lease.key != name && lease.container_id != name) continue;
    // Whether the container of a damaged lease lives only the administrator can know.
    if (!lease.damaged && !state::is_stale(lease)) {
      return fail(Errc::denied, text::cat({"release ", text::quote(name), ": its container is still there"}),
                  "delete the container; its slice comes back by itself");
    }
    const std::string key = lease.key;  // release() changes the list we look at
    HAMI_CHECK(ledger.release(key));
    return key;
  }
  return fail(Errc::not_found, text::cat({"release ", text::quote(name), ": no such lease"}),
              "see hamictl ps");
}

}  // namespace

Result<std::string> list_leases(const std::string& state_dir, bool json) {
  HAMI_TRY(const auto ledger, state::Ledger::open(state_dir));
  std::string out;
  if (!json) {
    out = text::cat(
        {padded("CONTAINER", 24), padded("DEVICE", 42), padded("MEMORY", 12), padded("CORES", 6), "KEY\n"});
  }
  for (const auto& lease : ledger.leases()) {
    for (const auto& holding : lease.holdings)
      out += json ? json_row(lease, holding) : table_row(lease, holding);
  }
  for (const auto& finding : ledger.findings()) out += json ? "" : text::cat({"warning: ", finding, "\n"});
  return out;
}

Result<std::string> release_stale(const std::string& state_dir) {
  std::string out;
  HAMI_TRY(const auto ended, state::end_gone(state_dir));
  for (const auto& key : ended) out += text::cat({"released ", key, "\n"});
  if (out.empty()) out = "no stale lease\n";
  return out + reclaimed(state_dir);
}

Result<std::string> release_one(const std::string& state_dir, const std::string& name) {
  HAMI_TRY(const std::string key, end_lease(state_dir, name));
  return text::cat({"released ", key, "\n", reclaimed(state_dir)});
}

}  // namespace hami::hamictl
