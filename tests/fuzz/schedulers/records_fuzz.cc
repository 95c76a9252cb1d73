// Decodes arbitrary annotation values. What was understood must survive being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/mig.h"
#include "runtime-shim/schedulers/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto groups = decode_groups(value);
  if (groups) {
    // The encoder terminates the last group, which adds an empty one behind it.
    auto expected = *groups;
    expected.emplace_back();
    if (decode_groups(encode_hami(*groups)).value_or(std::vector<Group>{}) != expected) std::abort();
    if (decode_groups(encode_volcano(*groups)).value_or(std::vector<Group>{}) != *groups) std::abort();
  }
  static_cast<void>(parse_mig_slot(value));
  static_cast<void>(parse_volcano_mig_slot(value));
  return 0;
}
