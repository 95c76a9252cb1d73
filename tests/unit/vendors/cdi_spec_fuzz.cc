// The reader of CDI specifications on any bytes: no crash, an error has its place, and what is read twice is
// the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vendors/cdi_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = hami::vendors::parse_cdi_spec(text, "f");
  if (!spec && !spec.error().message.starts_with("f:")) std::abort();
  if (spec && (spec->kind.empty() || *hami::vendors::parse_cdi_spec(text, "f") != *spec)) std::abort();
  return 0;
}
