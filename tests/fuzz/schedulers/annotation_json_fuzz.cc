// Reads arbitrary text as the JSON annotations of HAMi and Koordinator. What was understood must survive
// being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/mig.h"
#include "runtime-shim/schedulers/neighbours.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  if (const auto got = parse_mig_allocations(value)) {
    const auto again = parse_mig_allocations(encode_mig_allocations(*got));
    if (!again || *again != *got) std::abort();
  }
  if (const auto got = parse_koordinator(value)) {
    const auto again = parse_koordinator(encode_koordinator(*got));
    if (!again || *again != *got) std::abort();
    static_cast<void>(koordinator_group(*got, "gpu"));
  }
  return 0;
}
