#include "libvgpu/cuda/variants.h"

#include <cstring>

#include "libvgpu/cuda/types.h"

namespace hami::vgpu {
namespace {

constexpr const char* kVersions[] = {"", "_v2", "_v3", "_v4"};

// Index of base + version + suffix, -1 when there is no such row or the version is too old for it.
int find_joined(const Library& library, const char* base, const char* version_part, const char* suffix,
                int version) noexcept {
  char name[128];
  std::size_t length = 0;
  for (const char* part : {base, version_part, suffix}) {
    const std::size_t size = std::strlen(part);
    if (length + size >= sizeof name) return -1;
    std::memcpy(name + length, part, size);
    length += size;
  }
  const int index = library.find(std::string_view{name, length});
  return index >= 0 && library.row(index).since <= version ? index : -1;
}

int newest_with_suffix(const Library& library, const char* base, const char* suffix, int version) noexcept {
  int newest = -1;
  for (const char* version_part : kVersions) {
    const int index = find_joined(library, base, version_part, suffix, version);
    if (index >= 0) newest = index;
  }
  return newest;
}

}  // namespace

int newest_variant(const Library& library, const char* symbol, int version, std::uint64_t flags) noexcept {
  if ((flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0) {
    for (const char* suffix : {"_ptsz", "_ptds"}) {
      const int index = newest_with_suffix(library, symbol, suffix, version);
      if (index >= 0) return index;
    }
  }
  return newest_with_suffix(library, symbol, "", version);
}

}  // namespace hami::vgpu
