// Linear memory: allocation, free, and what the driver says about memory.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/context.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/pool.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::size_t kPitchUnit = 512;
constexpr unsigned kAttachFlags = 1 | 2 | 4;  // global, host, single

CUresult allocate_linear(CUdeviceptr* out, std::size_t bytes, Kind kind) {
  SIM_TRY(check_not_capturing());
  SIM_CONTEXT(context);
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return allocate(*context, bytes, kind, *out);
}

CUresult pitch_of(std::size_t width, std::size_t height, unsigned element, std::size_t& pitch) {
  if (element != 4 && element != 8 && element != 16) return CUDA_ERROR_INVALID_VALUE;
  if (width == 0 || height == 0 || width > SIZE_MAX / 2) return CUDA_ERROR_INVALID_VALUE;
  pitch = (width + kPitchUnit - 1) / kPitchUnit * kPitchUnit;
  return height > SIZE_MAX / 2 / pitch ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

// What the driver takes back, whoever allocated it.
CUresult free_pointer(CUdeviceptr address) {
  SIM_TRY(check_not_capturing());
  if (address == 0) return CUDA_SUCCESS;
  Allocation allocation;
  constexpr std::uint32_t kFreeable =
      bit(Kind::linear) | bit(Kind::managed) | bit(Kind::pool) | bit(Kind::graph) | bit(Kind::external);
  if (!forget(address, kFreeable, allocation)) return CUDA_ERROR_INVALID_VALUE;
  if (allocation.kind == Kind::pool || allocation.kind == Kind::graph) {
    free_from_pool(allocation);
  } else {
    release(allocation);
  }
  return CUDA_SUCCESS;
}

CUresult memory_info(std::uint64_t& free, std::uint64_t& total) {
  SIM_CONTEXT(context);
  const Guard guard(state());
  collect_dead_lazily(state(), static_cast<int>(slot()));
  const Device& device = state().devices[context->device];
  free = free_bytes(device);
  total = device.total_bytes - device.reserved_bytes;
  return CUDA_SUCCESS;
}

unsigned low_word(std::uint64_t value) {
  return value > UINT32_MAX ? UINT32_MAX : static_cast<unsigned>(value);
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuMemAlloc_v2(CUdeviceptr* ptr, std::size_t bytes) {
  SIM_ENTER(cuMemAlloc_v2);
  return allocate_linear(ptr, bytes, Kind::linear);
}

CUresult cuMemAlloc(CUdeviceptr32* ptr, unsigned bytes) {
  SIM_ENTER(cuMemAlloc);
  SIM_CONTEXT(context);
  if (ptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return allocate_low(*context, bytes, *ptr);
}

CUresult cuMemAllocManaged(CUdeviceptr* ptr, std::size_t bytes, unsigned flags) {
  SIM_ENTER(cuMemAllocManaged);
  if (flags == 0 || (flags & ~kAttachFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  return allocate_linear(ptr, bytes, Kind::managed);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* ptr, std::size_t* pitch, std::size_t width, std::size_t height,
                            unsigned element) {
  SIM_ENTER(cuMemAllocPitch_v2);
  if (ptr == nullptr || pitch == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::size_t wide = 0;
  SIM_TRY(pitch_of(width, height, element, wide));
  SIM_TRY(allocate_linear(ptr, wide * height, Kind::linear));
  *pitch = wide;
  return CUDA_SUCCESS;
}

CUresult cuMemAllocPitch(CUdeviceptr32* ptr, unsigned* pitch, unsigned width, unsigned height,
                         unsigned element) {
  SIM_ENTER(cuMemAllocPitch);
  if (ptr == nullptr || pitch == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::size_t wide = 0;
  SIM_TRY(pitch_of(width, height, element, wide));
  SIM_CONTEXT(context);
  SIM_TRY(allocate_low(*context, wide * height, *ptr));
  *pitch = static_cast<unsigned>(wide);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr ptr) {
  SIM_ENTER(cuMemFree_v2);
  SIM_CONTEXT(context);
  return free_pointer(ptr);
}

CUresult cuMemFree(CUdeviceptr32 ptr) {
  SIM_ENTER(cuMemFree);
  SIM_CONTEXT(context);
  return free_pointer(ptr);
}

CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  SIM_ENTER(cuMemGetInfo_v2);
  std::uint64_t free_now = 0;
  std::uint64_t total_now = 0;
  SIM_TRY(memory_info(free_now, total_now));
  if (free != nullptr) *free = free_now;
  if (total != nullptr) *total = total_now;
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo(unsigned* free, unsigned* total) {
  SIM_ENTER(cuMemGetInfo);
  std::uint64_t free_now = 0;
  std::uint64_t total_now = 0;
  SIM_TRY(memory_info(free_now, total_now));
  if (free != nullptr) *free = low_word(free_now);
  if (total != nullptr) *total = low_word(total_now);
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, std::size_t* size, CUdeviceptr ptr) {
  SIM_ENTER(cuMemGetAddressRange_v2);
  SIM_CONTEXT(context);
  Allocation allocation;
  if (!find_around(ptr, allocation)) return CUDA_ERROR_NOT_FOUND;
  if (base != nullptr) *base = allocation.address;
  if (size != nullptr) *size = allocation.size;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange(CUdeviceptr32* base, unsigned* size, CUdeviceptr32 ptr) {
  SIM_ENTER(cuMemGetAddressRange);
  SIM_CONTEXT(context);
  Allocation allocation;
  if (!find_around(ptr, allocation)) return CUDA_ERROR_NOT_FOUND;
  if (base != nullptr) *base = low_word(allocation.address);
  if (size != nullptr) *size = low_word(allocation.size);
  return CUDA_SUCCESS;
}
}
