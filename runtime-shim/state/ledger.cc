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

namespace hami::state {

namespace {

constexpr std::string_view kSuffix = ".json";

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

Result<Ledger> Ledger::open(const std::string& state_dir, int timeout_ms) {
  Ledger ledger;
  ledger.state_dir_ = state_dir;
  ledger.dir_ = state_dir + "/ledger";
  HAMI_CHECK(make_private_dir(state_dir));
  HAMI_CHECK(make_private_dir(ledger.dir_));
  HAMI_TRY(ledger.lock_, lock_file(ledger.dir_ + "/lock", timeout_ms));
  HAMI_CHECK(ledger.load());
  return ledger;
}

Result<> Ledger::load() {
  HAMI_TRY(const auto names, list(dir_));
  for (const std::string& name : names) {
    const std::string path = text::cat({dir_, "/", name});
    // A temporary file of a writer that died: the lock is ours, so nobody is writing it.
    if (name.front() == '.') ::unlinkat(AT_FDCWD, path.c_str(), 0);
    if (!ends_with(name, kSuffix) || name.front() == '.') continue;
    auto lease = load_lease(path, name.substr(0, name.size() - kSuffix.size()));
    if (lease) {
      leases_.push_back(*std::move(lease));
    } else {
      set_aside(path, lease.error());
    }
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
  HAMI_CHECK(files::write_atomic(text::cat({dir_, "/", lease.key, kSuffix}), to_json(lease), 0600));
  std::erase_if(leases_, [&](const Lease& other) { return other.key == lease.key; });
  leases_.push_back(lease);
  return {};
}

Result<> Ledger::release(const std::string& key) {
  if (!is_key(key))
    return fail(Errc::invalid_request, text::cat({text::quote(key), " is not the key of a lease"}));
  // The directory first: a crash in between leaves a lease, which the next one finds stale.
  HAMI_CHECK(files::remove_tree(text::cat({state_dir_, "/containers/", key})));
  HAMI_CHECK(drop_boards(state_dir_));
  HAMI_CHECK(unlink_durably(dir_, {text::cat({key, kSuffix})}));
  std::erase_if(leases_, [&](const Lease& lease) { return lease.key == key; });
  return {};
}

Result<std::vector<std::string>> Ledger::release_stale(std::size_t most) {
  std::vector<std::string> ended;
  const std::size_t count = leases_.size();
  const std::size_t first = most < count ? static_cast<std::size_t>(::getpid()) % count : 0;
  for (std::size_t i = 0; i < std::min(most, count); ++i) {
    const Lease& lease = leases_[(first + i) % count];
    if (is_stale(lease)) ended.push_back(lease.key);
  }
  std::sort(ended.begin(), ended.end());
  std::vector<std::string> names;
  names.reserve(ended.size());
  for (const std::string& key : ended) {
    HAMI_CHECK(files::remove_tree(text::cat({state_dir_, "/containers/", key})));
    names.push_back(text::cat({key, kSuffix}));
  }
  if (!names.empty()) {
    HAMI_CHECK(drop_boards(state_dir_));
    HAMI_CHECK(unlink_durably(dir_, names));
  }
  std::erase_if(
      leases_, [&](const Lease& lease) { return std::binary_search(ended.begin(), ended.end(), lease.key); });
  if (most >= count) HAMI_CHECK(remove_orphans());
  return ended;
}

Result<> Ledger::remove_orphans() {
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
