// Managed memory in the place of device memory that an oversold card has not got, where that was asked for:
// by the slice, or without one by CUDA_OVERSUBSCRIBE.
#pragma once

#include <cstddef>

#include "libvgpu/cuda/driver.h"

namespace hami::vgpu {

// The driver answered `status` to a request for `bytes` of device memory. Where the card is full, and managed
// memory may stand in for it, allocates that at `*ptr`. Returns what the program gets.
CUresult stand_in(CUresult status, CUdeviceptr* ptr, std::size_t bytes) noexcept;

}  // namespace hami::vgpu
