// The reader of the loader's cache on any bytes: no crash, and no more entries than the file could hold.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vendors/ld_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto libraries = hami::vendors::parse_ld_cache(bytes);
  if (libraries && libraries->size() > size / 12) std::abort();
  return 0;
}
