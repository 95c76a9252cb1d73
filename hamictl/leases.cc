#include "hamictl/leases.h"

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/ledger.h"

namespace hami::hamictl {

namespace {

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text.substr(0, width));
  out.resize(width + 1, ' ');
  return out;
}

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
  HAMI_TRY(auto ledger, state::Ledger::open(state_dir));
  HAMI_TRY(const auto ended, ledger.release_stale());
  std::string out;
  for (const auto& key : ended) out += text::cat({"released ", key, "\n"});
  return out.empty() ? "no stale lease\n" : out;
}

Result<std::string> release_one(const std::string& state_dir, const std::string& name) {
  HAMI_TRY(auto ledger, state::Ledger::open(state_dir));
  for (const auto& lease : ledger.leases()) {
    if (lease.key != name && lease.container_id != name) continue;
    if (!state::is_stale(lease)) {
      return fail(Errc::denied, text::cat({"release ", text::quote(name), ": its container is still there"}),
                  "delete the container; its slice comes back by itself");
    }
    const std::string key = lease.key;  // release() changes the list we look at
    HAMI_CHECK(ledger.release(key));
    return text::cat({"released ", key, "\n"});
  }
  return fail(Errc::not_found, text::cat({"release ", text::quote(name), ": no such lease"}),
              "see hamictl ps");
}

}  // namespace hami::hamictl
