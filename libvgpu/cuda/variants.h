// The variants of one function: base name, "_v2" and so on, and "_ptsz" or "_ptds" for the per-thread stream.
#pragma once

#include <cstdint>

#include "libvgpu/core/library.h"

namespace hami::vgpu {

// Index of the newest variant of the base name `symbol` that CUDA `version` has, by the rules of
// cuGetProcAddress; -1 when the table has none.
int newest_variant(const Library& library, const char* symbol, int version, std::uint64_t flags) noexcept;

}  // namespace hami::vgpu
