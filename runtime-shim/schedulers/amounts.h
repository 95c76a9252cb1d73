// What the third and fourth field of a record mean: every vendor has units of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"
#include "runtime-shim/schedulers/records.h"

namespace hami::schedulers {

struct Amounts {
  std::optional<Bytes> memory;  // nullopt: the whole device's
  Percent cores;                // 0: no limit; above 100 is 100
  friend bool operator==(const Amounts&, const Amounts&) = default;
};

// `key`: the annotation the record is from. Fails with invalid_request on amounts that would mean "no limit"
// to somebody else: a memory of 0 or less where the vendor divides memory, and negative cores.
[[nodiscard]] Result<Amounts> amounts_of(const DeviceRecord& record, std::string_view key);

// Where the records count memory in blocks of so many MiB: in MiB afterwards. Fails with invalid_request on
// more than any device has.
[[nodiscard]] Result<> scale_memory(Group& group, std::uint32_t factor, std::string_view key);

}  // namespace hami::schedulers
