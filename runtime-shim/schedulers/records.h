// The text in which HAMi's and Volcano's schedulers write who gets what: groups of device records.
//
//   value  = { group ";" }          Volcano: groups joined by ";"
//   group  = { record ":" }
//   record = uuid "," type "," memory "," cores
//
// Source: HAMi 2.4 to 2.10, annotation values of the keys in keys.h; Volcano, volcano.sh/vgpu-ids-new.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::schedulers {

struct DeviceRecord {
  std::string uuid;  // may carry a MIG suffix, see mig.h; empty in the placeholders of schedulers up to 2.5
  std::string type;
  std::int32_t memory = 0;  // MiB, or the vendor's unit
  std::int32_t cores = 0;   // percent, or the vendor's unit
  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;

  // A record with an empty uuid names no device: old schedulers pad with ",,0,0:".
  [[nodiscard]] bool is_placeholder() const { return uuid.empty(); }
};

// A record's memory when it is the whole device's, whatever that is; as a number of MiB no device has it.
inline constexpr std::int32_t kAllMemory = INT32_MAX;

using Group = std::vector<DeviceRecord>;

// Every group, empty ones included; a value that ends in ';' has an empty group at its end. Follows the
// decoder of HAMi 2.10 and accepts a missing final ';'. A piece without a comma is no record and is dropped.
// Fails with invalid_request, naming position and text, on a record with fewer than four fields and on
// numbers that are not plain 32-bit decimals: older decoders read those as 0, which a limit must never become
// by accident.
[[nodiscard]] Result<std::vector<Group>> decode_groups(std::string_view value);

// HAMi's form: every record and every group with its terminator.
[[nodiscard]] std::string encode_hami(const std::vector<Group>& groups);

// Volcano's form: groups joined by ';', nothing behind the last one.
[[nodiscard]] std::string encode_volcano(const std::vector<Group>& groups);

// Without placeholder records, and without the empty group that HAMi's final ';' leaves: where groups are
// joined, `terminated` is false, an empty one at the end is a container's.
[[nodiscard]] std::vector<Group> without_padding(std::vector<Group> groups, bool terminated = true);

}  // namespace hami::schedulers
