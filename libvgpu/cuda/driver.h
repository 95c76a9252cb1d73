// The CUDA driver as the program has it: its entry points, typed, and our table over them.
#pragma once

#include "libvgpu/core/library.h"
#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

// The real entry points; null for what this driver lacks. Filled by cuda_library().
struct CudaDriver {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/functions.def"
};

extern constinit CudaDriver g_cuda;

// The newest CUDA version whose functions are all in our tables.
inline constexpr int kCudaTableVersion = 13000;

const Library& cuda_library() noexcept;

// The first call of all looks for the driver; so does every call of what this driver lacks.
template <auto Function, typename... Args>
[[gnu::noinline]] CUresult driver_slowly(Args... args) noexcept {
  if (!cuda_library().load()) return CUDA_ERROR_NOT_INITIALIZED;
  const auto function = __atomic_load_n(&(g_cuda.*Function), __ATOMIC_ACQUIRE);
  return function != nullptr ? function(args...) : CUDA_ERROR_NOT_SUPPORTED;
}

// Calls the driver's own function: driver<&CudaDriver::cuMemAlloc_v2>(out, bytes).
template <auto Function, typename... Args>
CUresult driver(Args... args) noexcept {
  // Published one by one: an address that is there may be called.
  const auto function = __atomic_load_n(&(g_cuda.*Function), __ATOMIC_ACQUIRE);
  if (function == nullptr) [[unlikely]]
    return driver_slowly<Function>(args...);
  return function(args...);
}

}  // namespace hami::vgpu
