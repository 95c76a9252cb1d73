// Reads arbitrary text as what plugins and schedulers write on a node. What was understood must survive being
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/node_texts.h"

namespace {

template <typename Value>
void expect_same(const hami::Result<Value>& first, const hami::Result<Value>& second) {
  if (!second || *second != *first) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::schedulers;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  // No ':' is no register, not one without devices.
  if (const auto got = parse_register(value); got && !got->empty())
    expect_same(got, parse_register(encode_register(*got)));
  if (const auto got = parse_register_json(value))
    expect_same(got, parse_register_json(encode_register_json(*got)));
  if (const auto got = parse_node_lock(value)) expect_same(got, parse_node_lock(encode_node_lock(*got)));
  if (const auto got = parse_scoring_weights(value))
    expect_same(got, parse_scoring_weights(encode_scoring_weights(*got)));
  return 0;
}
