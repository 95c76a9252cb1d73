// Reads arbitrary text as a lease and as a Pod's claims. What was understood must survive being written and
// read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/state/claims_json.h"
#include "runtime-shim/state/lease_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::state;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto lease = parse_lease(text)) {
    const auto again = parse_lease(to_json(*lease));
    if (!again || *again != *lease) std::abort();
  }
  if (const auto claims = parse_claims(text)) {
    const auto again = parse_claims(to_json(*claims));
    if (!again || *again != *claims) std::abort();
  }
  return 0;
}
