// The node ledger: who holds which slice of which device on this node.
//
// Directory <state_dir>/ledger: `lock` (flock), one readable JSON file per lease, replaced atomically, and
// `devices`, which says which leases are on which device. A lease is durable before the container starts.
// Nothing here knows vendors or OCI documents.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "oci-config/base/parts.h"
#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"
#include "oci-config/base/units.h"
#include "runtime-shim/state/device_index.h"
#include "runtime-shim/state/hurry.h"

namespace hami::state {

// A part of one device that a lease holds.
struct Holding {
  std::string vendor;
  std::string device;  // uuid
  Bytes memory;
  Percent cores;
  bool exclusive = false;
  std::uint32_t slot = 0;  // of a slice the vendor makes: its number among those of the device
  Parts parts{};           // of the device's compute that it has alone, where they are numbered
  bool engine = false;     // an engine gave the whole device by itself, maybe to several containers
  std::string mode{};      // of the container, where all on the device must have the same; "": the usual one
  friend bool operator==(const Holding&, const Holding&) = default;
};

struct Lease {
  std::string key;            // our name of the container; file name and directory name: [A-Za-z0-9_.-]
  std::string container_id;   // as the engine calls it
  std::string engine_root;    // --root of the low-level runtime, absolute; "": its default, of runc or crun
  std::string bundle;         // absolute
  std::string source;         // what decided: "ledger", "hami.io annotation", …
  std::string pod_namespace;  // of the container's Pod; "": it has none
  std::string boot_id;        // of the boot that made it
  int creator_pid = 0;        // hami-runtime, which becomes the low-level runtime by execve; or the engine
  std::uint64_t creator_start = 0;   // field 22 of /proc/<pid>/stat: the pid may be somebody else's later
  std::int64_t created_at = 0;       // seconds since the epoch; for people
  std::uint64_t created_uptime = 0;  // seconds since boot, which no change of the clock moves
  std::vector<Holding> holdings;
  // Its file could not be read: `holdings` has the devices it is listed on, each alone; of the rest only
  // `key` is known. Never written.
  bool damaged = false;
  friend bool operator==(const Lease&, const Lease&) = default;
};

// Stable key of a container: the id, made safe for a file name, and a hash of engine root and id.
[[nodiscard]] std::string lease_key(const std::string& engine_root, const std::string& container_id);

// Which leases are asked for: those on some devices and the one of `key`, or all.
struct Scope {
  std::string state_dir;
  std::optional<std::vector<DeviceName>> devices;  // nullopt: all leases
  std::string key;
  int timeout_ms = 5000;
};

// What the ledger held a moment ago, seen without its lock. A lease counts as unchanged as long as its file
// is the very same: every change makes another file.
struct Snapshot {
  struct File {
    std::uint64_t inode = 0;
    std::int64_t changed_s = 0;  // ctime
    std::int64_t changed_ns = 0;
    std::int64_t size = 0;
    friend bool operator==(const File&, const File&) = default;
  };
  std::vector<Lease> leases;
  std::map<std::string, std::pair<File, std::size_t>> files;  // by key, with the number of its lease
};

// The ledger with its lock held. One writer at a time on the node; the kernel releases the lock at any death.
class Ledger {
 public:
  // Creates the directories (0700) when missing, waits up to `timeout_ms` for the lock, loads every lease. A
  // lease that cannot be read and is listed on devices keeps those, alone, until it is released: its
  // container may live. A file that is listed nowhere was never a lease and is set aside as <name>.corrupt.
  // `findings()` tells of both.
  [[nodiscard]] static Result<Ledger> open(const std::string& state_dir, int timeout_ms = 5000);

  // Like open, but loads the leases on these devices and the lease of `key` only: what is on other devices
  // costs nothing. Loads all where that is not possible.
  [[nodiscard]] static Result<Ledger> open_for(const std::string& state_dir,
                                               const std::vector<DeviceName>& devices, const std::string& key,
                                               int timeout_ms = 5000);
  // Reads only what is not in the snapshot, or not any more as it was there.
  [[nodiscard]] static Result<Ledger> open(const Scope& scope, const Snapshot& snapshot);

  // The leases as they are just now, without the lock: each is whole, and may have ended when this returns.
  // One that cannot be read is left out.
  [[nodiscard]] static Snapshot look(const Scope& scope);

  [[nodiscard]] const std::vector<Lease>& leases() const { return leases_; }
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }
  // For its lock.
  [[nodiscard]] std::int64_t waited_ms() const { return waited_ms_; }

  // Durable when it returns: file and directory are flushed. Replaces a lease with the same key.
  [[nodiscard]] Result<> commit(const Lease& lease);

  // Ends a lease and removes its container directory; one that is not there is success.
  [[nodiscard]] Result<> release(const std::string& key);

  // Ends those of the loaded leases that are among `gone` (see gone.h) and are the same still: a container's
  // next lease has another creator. Returns the keys that ended.
  [[nodiscard]] Result<std::vector<std::string>> end(const std::vector<Lease>& gone);

  // Removes container directories without a lease: a writer died between releasing and removing. Only where
  // every lease is loaded; else does nothing.
  [[nodiscard]] Result<> remove_orphans();

 private:
  Ledger() = default;
  static Result<Ledger> locked(const std::string& state_dir, int timeout_ms);
  static Result<Ledger> loaded(const Scope& scope, const Snapshot* snapshot);
  Result<> load();
  Result<> load_on(const std::vector<DeviceName>& devices, const std::string& key);
  void take(const std::string& key);
  bool take_unchanged(const std::string& key);
  static Result<Lease> load_lease(const std::string& path, const std::string& key);
  void keep_damaged(const std::string& key, const Error& why);
  void set_aside(const std::string& path, const Error& why);

  [[nodiscard]] std::vector<std::string> cards_of(const std::string& key) const;
  [[nodiscard]] std::string path_of(const std::string& key) const;
  [[nodiscard]] DeviceIndex index() const { return DeviceIndex(dir_ + "/devices"); }

  std::string dir_;
  std::string state_dir_;
  const Snapshot* snapshot_ = nullptr;  // while loading
  bool has_all_ = false;                // leases_ has every lease of the node
  Hurry hurry_;                         // as long as we have the lock, and a little longer
  UniqueFd lock_;
  std::int64_t waited_ms_ = 0;
  std::vector<Lease> leases_;
  std::vector<std::string> findings_;
};

// True when nothing of the container can run any more: another boot; or its state directory
// <engine_root>/<id> is gone or names a dead init process with an empty cgroup, and the creating process has
// ended too. When in doubt, and of a damaged lease, false.
[[nodiscard]] bool is_stale(const Lease& lease, const std::string& proc_dir = "/proc");

}  // namespace hami::state
