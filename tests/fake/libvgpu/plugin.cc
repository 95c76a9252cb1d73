// A plugin that uses the driver which it is linked to, in whatever name space it lies.
#include <dlfcn.h>

#include <cstddef>

#include "libvgpu/cuda/types.h"

#define HAMI_PLUGIN extern "C" __attribute__((visibility("default")))

extern "C" {
CUresult cuInit(unsigned flags);
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device);
CUresult cuCtxSetCurrent(CUcontext context);
CUresult cuMemAlloc_v2(CUdeviceptr* pointer, std::size_t bytes);
CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total);
}

namespace {

bool is_ready() {
  static CUcontext context = nullptr;
  return context != nullptr ||
         (cuInit(0) == CUDA_SUCCESS && cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS &&
          cuCtxSetCurrent(context) == CUDA_SUCCESS);
}

}  // namespace

// Takes memory by the function that this library is linked to.
HAMI_PLUGIN int plugin_take(unsigned mib) {
  CUdeviceptr pointer = 0;
  return is_ready() ? static_cast<int>(cuMemAlloc_v2(&pointer, std::size_t{mib} << 20U)) : -1;
}

// The same by a function that it looks up.
HAMI_PLUGIN int plugin_find_and_take(unsigned mib) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  const auto alloc = reinterpret_cast<decltype(&cuMemAlloc_v2)>(
      driver != nullptr ? dlsym(driver, "cuMemAlloc_v2") : nullptr);
  CUdeviceptr pointer = 0;
  return is_ready() && alloc != nullptr ? static_cast<int>(alloc(&pointer, std::size_t{mib} << 20U)) : -1;
}

// MiB that the plugin sees as the card.
HAMI_PLUGIN int plugin_total() {
  std::size_t free = 0;
  std::size_t total = 0;
  return is_ready() && cuMemGetInfo_v2(&free, &total) == CUDA_SUCCESS ? static_cast<int>(total >> 20U) : -1;
}
