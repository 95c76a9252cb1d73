// The driver's functions as a program reaches them: linked, by dlsym, or by asking cuGetProcAddress for
// exactly one variant. A program that includes this is linked to libcuda.so.1 and finds our functions where a
// preload put them.
#pragma once

#include <cstddef>

#include "libvgpu/cuda/types.h"

namespace hami::coverage {

// Every row of functions.def, plus what the ways below need of the rest.
struct Cuda {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/functions.def"
  CUresult (*cuGraphCreate)(CUgraph* graph, unsigned flags);
  CUresult (*cuGraphDestroy)(CUgraph graph);
  CUresult (*cuMemAddressReserve)(CUdeviceptr* ptr, std::size_t size, std::size_t alignment, CUdeviceptr addr,
                                  std::uint64_t flags);
  CUresult (*cuMemAddressFree)(CUdeviceptr ptr, std::size_t size);
  int (*sim_fail_next)(const char* function, int code);  // null on a real driver
};

// "linked", "dlsym" or "procaddr". False for another name, and when a function cannot be found that way.
bool open_door(const char* name, Cuda& out);

// True when `address` lies in libvgpu.so.
bool is_ours(const void* address);

}  // namespace hami::coverage
