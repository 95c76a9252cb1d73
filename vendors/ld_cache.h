// The loader's cache of a driver root: which library file stands for which name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

enum class Abi { x86_64, aarch64, i386, other };

struct CachedLibrary {
  std::string name;  // SONAME, or a name ldconfig found a file under: "libcuda.so.1"
  std::string path;  // absolute, in the root the cache was made for
  Abi abi = Abi::other;
  friend bool operator==(const CachedLibrary&, const CachedLibrary&) = default;
};

inline constexpr std::size_t kMaxLdCacheBytes = 16U << 20U;

// Entries in the file's order. Reads "glibc-ld.so.cache1.1", alone or after the old "ld.so-1.7.0" part, and
// the old part alone; little endian. Every offset is checked: a driver container's cache is not ours. Fails
// with io when the file is anything else. Source: glibc, sysdeps/generic/dl-cache.h.
[[nodiscard]] Result<std::vector<CachedLibrary>> parse_ld_cache(std::string_view bytes);

}  // namespace hami::vendors
