// Slices that the vendor's driver makes (vNPU, sMLU, sGPU …): made before the container starts, destroyed
// when its lease has ended, and found again after a crash at any point. Directory <state_dir>/subdevices:
// `lock`, and one record per subdevice, written before the driver is asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"
#include "runtime-shim/state/ledger.h"
#include "runtime-shim/state/subdevice_record.h"
#include "vendors/subdevice.h"

namespace hami::shim {

// The records with their lock held: one conversation with drivers at a time on the node. The lock outlives us
// in a program that we started and that still talks to the driver.
class Subdevices {
 public:
  // Waits up to `timeout_ms` for the lock. Records that cannot be read are reported in findings() and left.
  [[nodiscard]] static Result<Subdevices> open(const std::string& state_dir, int timeout_ms = 60'000);

  [[nodiscard]] const std::vector<state::SubdeviceRecord>& records() const { return records_; }
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }

  // Has the driver make one for this lease; returns its number. When anything goes wrong, what was made is
  // destroyed again; what cannot be destroyed stays on record and reclaim() comes back to it.
  [[nodiscard]] Result<std::uint32_t> create(const state::Lease& lease, const state::Holding& holding,
                                             const vendors::SubdevicePlan& plan);

  // Destroys what belongs to no lease. One whose lease is there, or cannot be read, is not touched. Returns
  // what could not be destroyed, in words; it stays on record.
  [[nodiscard]] Result<std::vector<std::string>> reclaim();

 private:
  Subdevices() = default;
  void load();
  [[nodiscard]] std::string path_of(const state::SubdeviceRecord& record) const;
  Result<> save(const state::SubdeviceRecord& record);
  Result<> forget(const state::SubdeviceRecord& record);
  Result<std::uint32_t> make(state::SubdeviceRecord& record, const vendors::SubdevicePlan& plan);
  Result<> destroy(const state::SubdeviceRecord& record);
  Result<std::vector<std::uint32_t>> candidates(const state::SubdeviceRecord& record) const;

  std::string state_dir_;
  std::string dir_;
  UniqueFd lock_;
  std::vector<state::SubdeviceRecord> records_;
  std::vector<std::string> findings_;
};

// True when anything is on record below this state directory; costs one directory.
[[nodiscard]] bool has_subdevices(const std::string& state_dir);

// Records whose lease is none of these.
[[nodiscard]] std::vector<state::SubdeviceRecord> subdevices_left(const std::string& state_dir,
                                                                  const std::vector<state::Lease>& leases);

// Opens the records, if there are any, and reclaims. Lines of what went wrong; none when all is well.
[[nodiscard]] std::vector<std::string> reclaim_subdevices(const std::string& state_dir);

}  // namespace hami::shim
