// The driver functions a client uses, found the way the command line asks for: the doors of a real program.
#pragma once

#include "libvgpu/cuda/types.h"

namespace hami::client {

// A client's functions: member, exported symbol, symbol without the version suffix, CUDA version of that
// variant.
#define HAMI_CLIENT_FUNCTIONS(X)                                                                           \
  X(init, cuInit, cuInit, 2000, CUresult, (unsigned flags))                                                \
  X(driver_version, cuDriverGetVersion, cuDriverGetVersion, 2020, CUresult, (int* version))                \
  X(device_get, cuDeviceGet, cuDeviceGet, 2000, CUresult, (CUdevice * device, int ordinal))                \
  X(device_count, cuDeviceGetCount, cuDeviceGetCount, 2000, CUresult, (int* count))                        \
  X(device_name, cuDeviceGetName, cuDeviceGetName, 2000, CUresult,                                         \
    (char* name, int length, CUdevice device))                                                             \
  X(total_memory, cuDeviceTotalMem_v2, cuDeviceTotalMem, 3020, CUresult,                                   \
    (std::size_t * bytes, CUdevice device))                                                                \
  X(retain, cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, 7000, CUresult,                            \
    (CUcontext * context, CUdevice device))                                                                \
  X(set_current, cuCtxSetCurrent, cuCtxSetCurrent, 4000, CUresult, (CUcontext context))                    \
  X(synchronize, cuCtxSynchronize, cuCtxSynchronize, 2000, CUresult, ())                                   \
  X(allocate, cuMemAlloc_v2, cuMemAlloc, 3020, CUresult, (CUdeviceptr * address, std::size_t bytes))       \
  X(allocate_managed, cuMemAllocManaged, cuMemAllocManaged, 6000, CUresult,                                \
    (CUdeviceptr * address, std::size_t bytes, unsigned flags))                                            \
  X(allocate_pitch, cuMemAllocPitch_v2, cuMemAllocPitch, 3020, CUresult,                                   \
    (CUdeviceptr * address, std::size_t * pitch, std::size_t width, std::size_t height, unsigned element)) \
  X(release, cuMemFree_v2, cuMemFree, 3020, CUresult, (CUdeviceptr address))                               \
  X(memory_info, cuMemGetInfo_v2, cuMemGetInfo, 3020, CUresult, (std::size_t * free, std::size_t * total)) \
  X(error_name, cuGetErrorName, cuGetErrorName, 6000, CUresult, (CUresult error, const char** name))

struct DriverApi {
#define HAMI_MEMBER(member, symbol, base, version, result, params) result(*member) params;
  HAMI_CLIENT_FUNCTIONS(HAMI_MEMBER)
#undef HAMI_MEMBER
};

enum class Door { linked, dlsym, procaddr };

// False, with a line on stderr that names what is missing.
bool open_driver(Door door, DriverApi& out);

}  // namespace hami::client
