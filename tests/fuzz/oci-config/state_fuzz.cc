#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci-config/state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto state = hami::oci::parse_state({reinterpret_cast<const char*>(data), size});
  if (!state) return 0;
  if (state->id.empty() || state->bundle.empty() || state->pid < 0) std::abort();
  return 0;
}
