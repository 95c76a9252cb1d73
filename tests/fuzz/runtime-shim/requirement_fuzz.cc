// Reads arbitrary text as what an image needs of the driver. A condition is never both known to hold and
// known not to hold.
#include <cstdint>
#include <string_view>

#include "runtime-shim/request/requirement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::shim;
  const auto requirement = parse_requirement({reinterpret_cast<const char*>(data), size});
  if (!requirement) return 0;
  static_cast<void>(is_met(*requirement, {"12.4", "550.90.07", "8.0", "tesla"}));
  if (!is_met(*requirement, {})) __builtin_trap();  // nothing is known, so nothing is refused
  return 0;
}
