#include "runtime-shim/state/device_index.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"
#include "runtime-shim/state/ledger.h"

namespace hami::state {

namespace {

constexpr const char* kComplete = "/.complete";

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

Result<> make_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return fd ? Result<>{} : fail_errno("create", path);
}

// By the system call that hami-hook is left with when it releases a lease.
void remove_file(const std::string& path) { ::unlinkat(AT_FDCWD, path.c_str(), 0); }

}  // namespace

std::vector<DeviceName> devices_of(const Lease& lease) {
  std::vector<DeviceName> out;
  for (const Holding& holding : lease.holdings) {
    DeviceName name{holding.vendor, holding.device};
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

// Names of devices come from hardware and need not be file names.
std::string DeviceIndex::directory_of(const DeviceName& device) const {
  return text::cat({dir_, "/", text::hex64(text::fnv1a(text::cat({device.vendor, "\n", device.device})))});
}

bool DeviceIndex::is_complete() const { return ::access((dir_ + kComplete).c_str(), F_OK) == 0; }

Result<> DeviceIndex::add(const Lease& lease) const {
  for (const DeviceName& device : devices_of(lease)) {
    const std::string directory = directory_of(device);
    HAMI_CHECK(files::make_dirs(directory, 0700));
    HAMI_CHECK(make_file(text::cat({directory, "/", lease.key})));
  }
  return {};
}

void DeviceIndex::remove(const Lease& lease, const std::vector<DeviceName>& but) const {
  std::vector<DeviceName> devices = devices_of(lease);
  std::erase_if(devices, [&](const DeviceName& device) {
    return std::find(but.begin(), but.end(), device) != but.end();
  });
  forget(lease.key, devices);
}

void DeviceIndex::forget(const std::string& key, const std::vector<DeviceName>& devices) const {
  for (const DeviceName& device : devices) remove_file(text::cat({directory_of(device), "/", key}));
}

std::vector<std::string> DeviceIndex::keys_on(const std::vector<DeviceName>& devices) const {
  std::set<std::string> keys;
  for (const DeviceName& device : devices) {
    auto names = names_in(directory_of(device));
    keys.insert(std::make_move_iterator(names.begin()), std::make_move_iterator(names.end()));
  }
  return {keys.begin(), keys.end()};
}

Result<std::vector<std::string>> DeviceIndex::repair(const std::vector<Lease>& leases) const {
  const bool was_complete = is_complete();
  std::set<std::string> wanted;
  std::vector<std::string> missing;
  for (const Lease& lease : leases) {
    bool is_whole = true;
    for (const DeviceName& device : devices_of(lease)) {
      const std::string path = text::cat({directory_of(device), "/", lease.key});
      is_whole = is_whole && ::access(path.c_str(), F_OK) == 0;
      wanted.insert(path);
    }
    if (is_whole) continue;
    HAMI_CHECK(add(lease));
    if (was_complete) missing.push_back(lease.key);
  }
  for (const std::string& device : names_in(dir_)) {
    const std::string directory = text::cat({dir_, "/", device});
    for (const std::string& name : names_in(directory)) {
      const std::string path = text::cat({directory, "/", name});
      if (!wanted.contains(path)) remove_file(path);
    }
  }
  if (was_complete) return missing;
  HAMI_CHECK(files::make_dirs(dir_, 0700));
  HAMI_CHECK(make_file(dir_ + kComplete));
  return missing;
}

}  // namespace hami::state
