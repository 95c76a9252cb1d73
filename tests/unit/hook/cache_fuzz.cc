// A cache that is added to can be added to again, which then changes nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hook/cache_patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<hami::hook::CacheEntry> ours{{"libcuda.so.1", "/usr/lib/libcuda.so.1", 0x0303},
                                                 {"libcuda.so", "/usr/lib/libcuda.so", 0x0303}};
  const auto once = hami::hook::add_to_cache({reinterpret_cast<const char*>(data), size}, ours);
  if (!once) return 0;
  const auto twice = hami::hook::add_to_cache(*once, ours);
  if (!twice) std::abort();
  // In a file that is not sorted, what is found first need not stay there.
  if (twice->size() != once->size()) std::abort();
  return 0;
}
