// Reads arbitrary text as the annotations of single vendors' plugins. What was understood must survive being
// written and read again. Every reader sees every input.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/companions.h"

namespace {

template <typename Read, typename Write>
void round_trip(std::string_view value, Read read, Write write) {
  const auto got = read(value);
  if (!got) return;
  const auto again = read(write(*got));
  if (!again || *again != *got) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  round_trip(value, parse_ascend_shares, encode_ascend_shares);
  round_trip(value, parse_npu_core, encode_npu_core);
  round_trip(value, parse_mlu_profile, encode_mlu_profile);
  round_trip(value, parse_mlu_instance, encode_mlu_instance);
  round_trip(value, parse_numbers, encode_numbers);
  round_trip(value, parse_metax_shares, encode_metax_shares);
  round_trip(value, parse_assigned_containers, encode_assigned_containers);
  round_trip(value, parse_cu_lists, encode_cu_lists);
  round_trip(
      value, [](std::string_view text) { return parse_ascend_names(text, "Ascend310P"); },
      [](const auto& minors) { return encode_ascend_names(minors, "Ascend310P"); });
  return 0;
}
