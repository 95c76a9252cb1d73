// Decodes arbitrary bytes as a device plugin's answer, and as base64. What was understood must survive being
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/allocate_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto answer = decode_answer(bytes)) {
    const auto again = decode_answer(encode_answer(*answer));
    if (!again || *again != *answer) std::abort();
  }
  if (decode_base64(encode_base64(bytes)).value_or("not these bytes") != bytes) std::abort();
  static_cast<void>(decode_base64(bytes));
  return 0;
}
