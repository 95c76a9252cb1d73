#include "runtime-shim/state/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/boards.h"
#include "runtime-shim/state/lease_json.h"
#include "runtime-shim/state/liveness.h"
#include "runtime-shim/state/lock.h"
#include "runtime-shim/state/presence.h"

namespace hami::state {

namespace {

constexpr std::string_view kSuffix = ".json";
// The lock lets in one writer: what one leaves that is killed is the next one's to write over.
constexpr const char* kTemporaryName = ".lease.new";

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

bool is_key_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '.';
}

bool is_key(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.size() < 200 &&
         std::all_of(text.begin(), text.end(), is_key_char);
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Result<std::vector<std::string>> list(const std::string& dir) {
  const std::unique_ptr<DIR, CloseDir> stream(::opendir(dir.c_str()));
  if (stream == nullptr) return fail_errno("list", dir);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> keys_of(const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    if (ends_with(name, kSuffix) && name.front() != '.')
      keys.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  return keys;
}

std::optional<Snapshot::File> file_at(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return Snapshot::File{info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec, info.st_size};
}

Result<> make_private_dir(const std::string& path) {
  HAMI_CHECK(files::make_dirs(path, 0700));
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return fail_errno("inspect", path);
  if (S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 022U) == 0) return {};
  return fail(Errc::denied, text::cat({"use ", text::quote(path), ": it is not ours alone"}),
              "remove it, or chown it to root and chmod it to 0700");
}

// All of them, with one flush of the directory; one that is not there is success.
Result<> unlink_durably(const std::string& dir, const std::vector<std::string>& names) {
  const UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("open", dir);
  for (const std::string& name : names) {
    if (::unlinkat(fd.get(), name.c_str(), 0) != 0 && errno != ENOENT) return fail_errno("remove", name);
  }
  ::fsync(fd.get());
  return {};
}

}  // namespace

std::string lease_key(const std::string& engine_root, const std::string& container_id) {
  std::string safe = container_id.substr(0, 80);
  for (char& c : safe) {
    if (!is_key_char(c)) c = '_';
  }
  if (safe.empty() || safe.front() == '.' || safe.front() == '-') safe = text::cat({"c", safe});
  return text::cat({safe, "-", text::hex64(text::fnv1a(text::cat({engine_root, "\n", container_id})))});
}

Result<Ledger> Ledger::locked(const std::string& state_dir, int timeout_ms) {
  Ledger ledger;
  ledger.state_dir_ = state_dir;
  ledger.dir_ = state_dir + "/ledger";
  HAMI_CHECK(make_private_dir(state_dir));
  HAMI_CHECK(make_private_dir(ledger.dir_));
  const std::int64_t began = monotonic_ms();
  ledger.hurry_ = Hurry::start();
  HAMI_TRY(ledger.lock_, lock_file(ledger.dir_ + "/lock", timeout_ms));
  ledger.waited_ms_ = monotonic_ms() - began;
  return ledger;
}

Result<Ledger> Ledger::loaded(const Scope& scope, const Snapshot* snapshot) {
  HAMI_TRY(Ledger ledger, locked(scope.state_dir, scope.timeout_ms));
  ledger.snapshot_ = snapshot;
  if (scope.devices && ledger.index().is_complete()) {
    HAMI_CHECK(ledger.load_on(*scope.devices, scope.key));
  } else {
    HAMI_CHECK(ledger.load());
  }
  ledger.snapshot_ = nullptr;
  return ledger;
}

Result<Ledger> Ledger::open(const std::string& state_dir, int timeout_ms) {
  return loaded({state_dir, std::nullopt, "", timeout_ms}, nullptr);
}

Result<Ledger> Ledger::open_for(const std::string& state_dir, const std::vector<DeviceName>& devices,
                                const std::string& key, int timeout_ms) {
  return loaded({state_dir, devices, key, timeout_ms}, nullptr);
}

Result<Ledger> Ledger::open(const Scope& scope, const Snapshot& snapshot) { return loaded(scope, &snapshot); }

Snapshot Ledger::look(const Scope& scope) {
  Ledger ledger;
  ledger.dir_ = scope.state_dir + "/ledger";
  std::vector<std::string> keys;
  if (scope.devices && ledger.index().is_complete()) {
    keys = ledger.index().keys_on(*scope.devices);
    if (std::find(keys.begin(), keys.end(), scope.key) == keys.end()) keys.push_back(scope.key);
  } else if (const auto names = list(ledger.dir_)) {
    keys = keys_of(*names);
  }
  Snapshot out;
  for (const std::string& key : keys) {
    // Before the lease is read: if it is replaced meanwhile, it does not count as unchanged.
    const auto file = file_at(ledger.path_of(key));
    auto lease = load_lease(ledger.path_of(key), key);
    if (!file || !lease) continue;
    out.files.insert({key, {*file, out.leases.size()}});
    out.leases.push_back(*std::move(lease));
  }
  return out;
}

std::string Ledger::path_of(const std::string& key) const { return text::cat({dir_, "/", key, kSuffix}); }

// Loads the lease of this file, or what is known about it without.
void Ledger::take(const std::string& key) {
  if (take_unchanged(key)) return;
  auto lease = load_lease(path_of(key), key);
  if (lease) {
    leases_.push_back(*std::move(lease));
  } else {
    keep_damaged(key, lease.error());
  }
}

bool Ledger::take_unchanged(const std::string& key) {
  if (snapshot_ == nullptr) return false;
  const auto known = snapshot_->files.find(key);
  if (known == snapshot_->files.end() || file_at(path_of(key)) != known->second.first) return false;
  leases_.push_back(snapshot_->leases[known->second.second]);
  return true;
}

void Ledger::keep_damaged(const std::string& key, const Error& why) {
  const auto devices = index().devices_of_key(key);
  const bool has_devices = std::any_of(devices.begin(), devices.end(),
                                       [](const DeviceName& device) { return !device.vendor.empty(); });
  if (!is_key(key) || !has_devices) {
    set_aside(path_of(key), why);
    return;
  }
  Lease lease;
  lease.key = key;
  lease.container_id = key;
  lease.source = "damaged";
  lease.damaged = true;
  std::vector<std::string> names;
  for (const DeviceName& device : devices) {
    if (device.vendor.empty()) {
      lease.pod_namespace = device.device;
      continue;
    }
    lease.holdings.push_back({device.vendor, device.device, Bytes{}, Percent{}, true});
    names.push_back(device.device);
  }
  leases_.push_back(std::move(lease));
  findings_.push_back(
      text::cat({"lease ", text::quote(path_of(key)), ": ", why.message, ": it keeps ",
                 text::join(names, ", "), " until its container is deleted; see hamictl release ", key}));
}

Result<> Ledger::load() {
  HAMI_TRY(const auto names, list(dir_));
  for (const std::string& name : names) {
    // A temporary file of a writer that died: the lock is ours, so nobody is writing it.
    if (name.front() == '.') ::unlinkat(AT_FDCWD, text::cat({dir_, "/", name}).c_str(), 0);
  }
  for (const std::string& key : keys_of(names)) take(key);
  has_all_ = true;
  const auto repaired = index().repair(leases_);
  // Without an index everything is loaded: slower, and never wrong.
  if (!repaired) return {};
  for (const std::string& key : *repaired) {
    findings_.push_back(
        text::cat({"lease ", text::quote(path_of(key)), ": not listed under its devices: listed again"}));
  }
  return {};
}

Result<> Ledger::load_on(const std::vector<DeviceName>& devices, const std::string& key) {
  auto keys = index().keys_on(devices);
  if (is_key(key) && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  for (const std::string& name : keys) {
    // What a writer listed and did not write, or removed and did not unlist.
    if (is_key(name) && take_unchanged(name)) continue;
    if (!is_key(name) || !is_there(path_of(name))) {
      index().forget(name, devices);
      continue;
    }
    take(name);
  }
  return {};
}

Result<Lease> Ledger::load_lease(const std::string& path, const std::string& key) {
  HAMI_TRY(const std::string text, files::read_trusted(path, kMaxLeaseBytes, files::Trust::root_owned));
  HAMI_TRY(auto lease, parse_lease(text));
  if (lease.key != key || !is_key(key)) return fail(Errc::io, "not a lease: its key is not its file's name");
  return lease;
}

void Ledger::set_aside(const std::string& path, const Error& why) {
  const std::string aside = path + ".corrupt";
  const bool moved = ::rename(path.c_str(), aside.c_str()) == 0;
  findings_.push_back(
      text::cat({"lease ", text::quote(path), ": ", why.message, moved ? ": set aside" : ""}));
}

Result<> Ledger::commit(const Lease& lease) {
  if (!is_key(lease.key))
    return fail(Errc::internal, text::cat({"lease with a bad key ", text::quote(lease.key)}));
  if (auto listed = index().add(lease); !listed) {
    index().remove(lease);
    return listed;
  }
  if (auto written = files::write_atomic(path_of(lease.key), to_json(lease), 0600, kTemporaryName);
      !written) {
    if (!is_there(path_of(lease.key))) index().remove(lease);
    return written;
  }
  for (const Lease& other : leases_) {
    if (other.key == lease.key) index().remove(other, devices_of(lease));
  }
  std::erase_if(leases_, [&](const Lease& other) { return other.key == lease.key; });
  leases_.push_back(lease);
  return {};
}

// Cards on which the lease may have a board; none: any card.
std::vector<std::string> Ledger::cards_of(const std::string& key) const {
  std::vector<std::string> cards;
  for (const Lease& lease : leases_) {
    if (lease.key != key) continue;
    for (const Holding& holding : lease.holdings) cards.push_back(holding.device);
  }
  return cards;
}

Result<> Ledger::release(const std::string& key) {
  if (!is_key(key))
    return fail(Errc::invalid_request, text::cat({text::quote(key), " is not the key of a lease"}));
  // The directory first: a crash in between leaves a lease, which the next one finds stale.
  HAMI_CHECK(files::remove_tree(text::cat({state_dir_, "/containers/", key})));
  HAMI_CHECK(drop_boards(state_dir_, cards_of(key)));
  HAMI_CHECK(unlink_durably(dir_, {text::cat({key, kSuffix})}));
  for (const Lease& lease : leases_) {
    if (lease.key == key) index().remove(lease);
  }
  std::erase_if(leases_, [&](const Lease& lease) { return lease.key == key; });
  return {};
}

Result<std::vector<std::string>> Ledger::end(const std::vector<Lease>& gone) {
  std::vector<Lease> ended;
  std::vector<std::string> files;
  std::vector<std::string> cards;
  for (const Lease& lease : gone) {
    if (std::find(leases_.begin(), leases_.end(), lease) == leases_.end()) continue;
    // An engine makes many containers: the same lease may be another one's.
    if (lease.engine_root.empty() && !is_stale(lease)) continue;
    HAMI_CHECK(files::remove_tree(text::cat({state_dir_, "/containers/", lease.key})));
    files.push_back(text::cat({lease.key, kSuffix}));
    for (const Holding& holding : lease.holdings) cards.push_back(holding.device);
    ended.push_back(lease);
  }
  if (ended.empty()) return std::vector<std::string>{};
  if (!cards.empty()) HAMI_CHECK(drop_boards(state_dir_, cards));
  HAMI_CHECK(unlink_durably(dir_, files));
  std::vector<std::string> keys;
  for (const Lease& lease : ended) {
    index().remove(lease);
    std::erase(leases_, lease);
    keys.push_back(lease.key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<> Ledger::remove_orphans() {
  if (!has_all_) return {};
  const std::string dir = state_dir_ + "/containers";
  const auto names = list(dir);
  if (!names) return {};  // no container yet
  std::set<std::string_view> leased;
  for (const Lease& lease : leases_) leased.insert(lease.key);
  for (const std::string& name : *names) {
    if (leased.count(name) == 0) HAMI_CHECK(files::remove_tree(text::cat({dir, "/", name})));
  }
  return drop_boards(state_dir_);
}

}  // namespace hami::state
