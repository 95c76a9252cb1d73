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
#include "runtime-shim/state/presence.h"

namespace hami::state {

namespace {

// The number tells what is listed: an index of another one is made anew.
constexpr const char* kComplete = "/.complete.2";
// Vendor and device in two lines.
constexpr const char* kName = "/.name";
constexpr const char* kTemporaryName = ".name.new";
constexpr std::size_t kMaxNameBytes = 4096;

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

// The directory of a device, with its name.
Result<> make_directory(const std::string& directory, const DeviceName& device) {
  const std::string name = directory + kName;
  if (is_there(name)) return {};
  HAMI_CHECK(files::make_dirs(directory, 0700));
  return files::write_atomic(name, text::cat({device.vendor, "\n", device.device}), 0600, kTemporaryName);
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
  if (!lease.pod_namespace.empty()) out.push_back({"", lease.pod_namespace});
  return out;
}

// Names of devices come from hardware and need not be file names.
std::string DeviceIndex::directory_of(const DeviceName& device) const {
  return text::cat({dir_, "/", text::hex64(text::fnv1a(text::cat({device.vendor, "\n", device.device})))});
}

bool DeviceIndex::is_complete() const { return is_there(dir_ + kComplete); }

Result<> DeviceIndex::add(const Lease& lease) const {
  for (const DeviceName& device : devices_of(lease)) {
    const std::string directory = directory_of(device);
    HAMI_CHECK(make_directory(directory, device));
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

std::vector<DeviceName> DeviceIndex::devices_of_key(const std::string& key) const {
  std::vector<DeviceName> out;
  for (const std::string& name : names_in(dir_)) {
    const std::string directory = text::cat({dir_, "/", name});
    if (!is_there(text::cat({directory, "/", key}))) continue;
    const auto text = files::read_trusted(directory + kName, kMaxNameBytes, files::Trust::root_owned);
    const auto line_end = text ? text->find('\n') : std::string::npos;
    if (line_end != std::string::npos) out.push_back({text->substr(0, line_end), text->substr(line_end + 1)});
  }
  return out;
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
      is_whole = is_whole && is_there(path);
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
