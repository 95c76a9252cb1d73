#include "hook/release.h"

#include <sys/stat.h>

#include <vector>

#include "oci-config/base/text.h"
#include "oci-config/state.h"
#include "runtime-shim/state/ledger.h"

namespace hami::hook {

namespace {

// The characters of lease keys; the key becomes a file name.
bool is_key(const std::string& key) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !key.empty() && key != "." && key != ".." && key.size() < 256 &&
         key.find_first_not_of(kAllowed) == std::string::npos;
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

Result<> release(const std::string& key, const std::string& state_dir) {
  if (!is_key(key)) return fail(Errc::invalid_config, text::cat({text::quote(key), " is not a lease key"}));
  // Opening a ledger makes one; after a wiped state directory nothing should come back.
  if (!is_directory(state_dir + "/ledger")) return {};
  HAMI_TRY(auto ledger, state::Ledger::open_for(state_dir, {}, key));
  return ledger.release(key);
}

Result<> release_container(std::string_view state_text, const std::string& state_dir) {
  HAMI_TRY(const oci::HookState state, oci::parse_state(state_text));
  if (!is_directory(state_dir + "/ledger")) return {};
  HAMI_TRY(auto ledger, state::Ledger::open(state_dir));
  std::vector<std::string> keys;
  for (const state::Lease& lease : ledger.leases()) {
    const bool same_bundle = lease.bundle == state.bundle || lease.engine_root.empty();
    const bool is_ours = lease.damaged ? lease.key == state::lease_key("", state.id)
                                       : lease.container_id == state.id && same_bundle;
    if (is_ours) keys.push_back(lease.key);
  }
  for (const std::string& key : keys) HAMI_CHECK(ledger.release(key));
  return {};
}

}  // namespace hami::hook
