// What a vendor's driver made, or is about to make, for one container: written down before the driver is
// asked, removed after it destroyed the thing. Nothing here knows vendors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/state/ledger.h"

namespace hami::state {

struct SubdeviceRecord {
  // Whose it is: the lease of this key, as long as its creator is the same process.
  std::string key;
  int creator_pid = 0;
  std::uint64_t creator_start = 0;

  Holding holding;                      // what of the device it takes
  std::string list;                     // host path with one '*': the number of a subdevice that is there
  std::vector<std::uint32_t> before;    // that were there when the driver was asked
  std::optional<std::uint32_t> number;  // chosen by us before, or known after
  std::string identity;  // of the number's file, once it is known that it was made; empty: not known
  std::vector<std::string> destroy;  // program and arguments; kNumberWord stands for the number
  friend bool operator==(const SubdeviceRecord&, const SubdeviceRecord&) = default;
};

// Readable JSON. parse_subdevice fails with io.
[[nodiscard]] std::string to_json(const SubdeviceRecord& record);
[[nodiscard]] Result<SubdeviceRecord> parse_subdevice(std::string_view text);

}  // namespace hami::state
