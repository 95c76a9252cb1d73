// Reads arbitrary text as the kubelet's checkpoint.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto entries = read_checkpoint(json, "p", "c");
  if (!entries) return 0;
  const auto again = read_checkpoint(encode_checkpoint(*entries), "p", "c");
  if (!again || again->size() != entries->size()) std::abort();
  return 0;
}
