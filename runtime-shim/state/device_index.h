// Which leases are on a device or of a namespace, without reading the leases: an empty file
// <dir>/<device>/<key of the lease> for each, and <dir>/<device>/.name with the device's own name. The leases
// themselves say what is true: a file is made before its lease and removed after it, so one too many is
// possible after a crash and one too few is not. The caller holds the ledger's lock.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::state {

struct Lease;

// A device as holdings name it, or a namespace of Pods.
struct DeviceName {
  std::string vendor;  // "": a namespace
  std::string device;  // uuid, or the namespace's name
  friend bool operator==(const DeviceName&, const DeviceName&) = default;
};

class DeviceIndex {
 public:
  // `dir` need not exist.
  explicit DeviceIndex(std::string dir) : dir_(std::move(dir)) {}

  // It was made for all leases once, and every writer since has kept it.
  [[nodiscard]] bool is_complete() const;

  // Before the lease is written.
  [[nodiscard]] Result<> add(const Lease& lease) const;

  // After the lease is gone, or holds other devices than `lease`. One that is not there is success.
  void remove(const Lease& lease, const std::vector<DeviceName>& but = {}) const;

  // Keys of the leases on these devices, each once; some may be gone.
  [[nodiscard]] std::vector<std::string> keys_on(const std::vector<DeviceName>& devices) const;

  // Where the lease of this key is listed; devices whose name cannot be read are left out.
  [[nodiscard]] std::vector<DeviceName> devices_of_key(const std::string& key) const;

  // The lease of this key is gone: it is on none of these devices.
  void forget(const std::string& key, const std::vector<DeviceName>& devices) const;

  // Makes the index what `leases` says and complete. Returns the keys of which something was missing; none
  // when there was no index before.
  [[nodiscard]] Result<std::vector<std::string>> repair(const std::vector<Lease>& leases) const;

 private:
  [[nodiscard]] std::string directory_of(const DeviceName& device) const;

  std::string dir_;
};

// What the lease is listed under: its devices, and its namespace if it has one.
[[nodiscard]] std::vector<DeviceName> devices_of(const Lease& lease);

}  // namespace hami::state
