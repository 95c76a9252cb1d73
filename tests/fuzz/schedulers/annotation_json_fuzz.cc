// Reads arbitrary text as the JSON annotations of HAMi and Koordinator.
#include <cstdint>
#include <string_view>

#include "runtime-shim/schedulers/mig.h"
#include "runtime-shim/schedulers/neighbours.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  static_cast<void>(hami::schedulers::parse_mig_allocations(value));
  static_cast<void>(hami::schedulers::parse_koordinator(value));
  return 0;
}
