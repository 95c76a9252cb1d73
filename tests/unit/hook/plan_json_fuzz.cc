// A plan that is read can be written, and reads back as the same plan.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vendors/plan_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::vendors;
  const auto plan = parse_plan({reinterpret_cast<const char*>(data), size});
  if (!plan) return 0;
  const auto text = to_json(*plan);
  // Escapes may make the text longer than the limit; nothing else can stop a plan that was accepted.
  if (!text) {
    if (size < kMaxPlanBytes / 8) std::abort();
    return 0;
  }
  const auto again = parse_plan(*text);
  if (!again || *again != *plan) std::abort();
  return 0;
}
