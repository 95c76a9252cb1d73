// Adds libraries to a loader's cache without looking at the other libraries of the image.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::hook {

struct CacheEntry {
  std::string name;         // what programs ask for: "libcuda.so.1"
  std::string path;         // in the container
  std::uint32_t flags = 0;  // of the ABI; see soname.h
  friend bool operator==(const CacheEntry&, const CacheEntry&) = default;
};

// `cache`, an ld.so.cache of the image, with `added`, each found before other libraries of its name. An entry
// of the same name and path that is there already is replaced, so that doing it twice changes nothing. The
// answer has the new format alone, which every loader since glibc 2.2 reads. Fails with io when `cache` is
// not of the new format, little endian, or holds an extension this does not know: then ldconfig has to make a
// new one. Every offset is checked: the cache is the image's. Source: glibc, sysdeps/generic/dl-cache.h and
// elf/cache.c.
[[nodiscard]] Result<std::string> add_to_cache(std::string_view cache, const std::vector<CacheEntry>& added);

// The order of names in a cache: like strcmp, but digits compare as numbers. Source: glibc, elf/dl-cache.c,
// _dl_cache_libcmp.
[[nodiscard]] int compare_cache_names(std::string_view left, std::string_view right);

}  // namespace hami::hook
