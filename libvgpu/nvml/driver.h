// NVML as the program has it: its entry points, typed, and our table over them.
#pragma once

#include "libvgpu/core/library.h"
#include "libvgpu/nvml/types.h"

namespace hami::vgpu {

// The real entry points; null for what this NVML lacks. Filled by nvml_library().
struct NvmlDriver {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/nvml/functions.def"
};

extern constinit NvmlDriver g_nvml;

const Library& nvml_library() noexcept;

// The first call of all looks for the driver; so does every call of what this driver lacks.
template <auto Function, typename... Args>
[[gnu::noinline]] nvmlReturn_t nvml_slowly(Args... args) noexcept {
  if (!nvml_library().load()) return NVML_ERROR_UNINITIALIZED;
  const auto function = __atomic_load_n(&(g_nvml.*Function), __ATOMIC_ACQUIRE);
  return function != nullptr ? function(args...) : NVML_ERROR_FUNCTION_NOT_FOUND;
}

// Calls NVML's own function: nvml<&NvmlDriver::nvmlDeviceGetUUID>(device, text, length).
template <auto Function, typename... Args>
nvmlReturn_t nvml(Args... args) noexcept {
  // Published one by one: an address that is there may be called.
  const auto function = __atomic_load_n(&(g_nvml.*Function), __ATOMIC_ACQUIRE);
  if (function == nullptr) [[unlikely]]
    return nvml_slowly<Function>(args...);
  return function(args...);
}

}  // namespace hami::vgpu
