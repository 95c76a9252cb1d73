// How much device memory an array takes, as far as its descriptor tells; the driver's own answer is exact but
// comes after the allocation, and only from CUDA 11.6 on.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

// Bytes of an array. A size that no card has when the extents overflow.
std::uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor) noexcept;

// Bytes of all levels of a mipmapped array; layers keep their number on every level.
std::uint64_t mipmap_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, unsigned levels) noexcept;

// The descriptors of the older interfaces in the newest form.
CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY_DESCRIPTOR& descriptor) noexcept;
CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY_DESCRIPTOR_v1& descriptor) noexcept;
CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY3D_DESCRIPTOR_v1& descriptor) noexcept;

}  // namespace hami::vgpu
