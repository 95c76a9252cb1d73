// Linear device memory. The forms without a suffix are those before CUDA 3.2, with 32-bit addresses and
// sizes.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/pools.h"
#include "libvgpu/cuda/stand_in.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// Rows start at multiples of at least 512 bytes; the driver tells the pitch it chose.
std::uint64_t pitched(std::uint64_t width, std::uint64_t height) noexcept {
  constexpr std::uint64_t kPitchUnit = 512;
  if (width > abi::kHeldMax || height > abi::kHeldMax) return abi::kHeldMax + 1;
  const std::uint64_t pitch = (width + kPitchUnit - 1) / kPitchUnit * kPitchUnit;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(pitch, height, &bytes)) return abi::kHeldMax + 1;
  return granule(bytes);
}

// Allocates rows of `width` bytes through `call`, which writes `*ptr` and `*pitch`.
template <typename Pointer, typename Size, typename Call>
CUresult allocate_pitched(Pointer* ptr, Size* pitch, std::uint64_t width, std::uint64_t height,
                          Call call) noexcept {
  // Nowhere to put the answer: refused by the driver, however much was asked for.
  if (ptr == nullptr || pitch == nullptr) return mode() == Mode::unusable ? kUnusable : call();
  return allocate_settled(ptr, pitched(width, height), call, [=] { return pitched(*pitch, height); });
}

// cuMemFree takes back what any allocator gave, stream-ordered memory too.
template <typename Call>
CUresult free_linear(std::uint64_t ptr, Call call) noexcept {
  if (mode() != Mode::on || !g_pools.any()) return release(Space::pointer, ptr, call);
  const std::optional<Record> pooled = g_process.records.take(Space::pooled, ptr);
  if (!pooled) return release(Space::pointer, ptr, call);
  const CUresult status = call();
  if (status == CUDA_SUCCESS) {
    retract_told(ptr);
    g_pools.freed(*pooled);
    g_pools.settle_all(pooled->device);
  } else {
    g_process.records.insert(Space::pooled, ptr, *pooled);
  }
  return status;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* ptr, std::size_t bytes) {
  return allocate(ptr, bytes, [=] {
    const CUresult status = driver<&CudaDriver::cuMemAlloc_v2>(ptr, bytes);
    return status == CUDA_SUCCESS ? status : stand_in(status, ptr, bytes);
  });
}

HAMI_EXPORT CUresult cuMemAlloc(CUdeviceptr32* ptr, unsigned bytes) {
  return allocate(ptr, bytes, [=] { return driver<&CudaDriver::cuMemAlloc>(ptr, bytes); });
}

HAMI_EXPORT CUresult cuMemAllocManaged(CUdeviceptr* ptr, std::size_t bytes, unsigned flags) {
  return allocate(ptr, bytes, [=] { return driver<&CudaDriver::cuMemAllocManaged>(ptr, bytes, flags); });
}

HAMI_EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr* ptr, std::size_t* pitch, std::size_t width,
                                        std::size_t height, unsigned element_bytes) {
  return allocate_pitched(ptr, pitch, width, height, [=] {
    return driver<&CudaDriver::cuMemAllocPitch_v2>(ptr, pitch, width, height, element_bytes);
  });
}

HAMI_EXPORT CUresult cuMemAllocPitch(CUdeviceptr32* ptr, unsigned* pitch, unsigned width, unsigned height,
                                     unsigned element_bytes) {
  return allocate_pitched(ptr, pitch, width, height, [=] {
    return driver<&CudaDriver::cuMemAllocPitch>(ptr, pitch, width, height, element_bytes);
  });
}

HAMI_EXPORT CUresult cuMemFree_v2(CUdeviceptr ptr) {
  return free_linear(ptr, [=] { return driver<&CudaDriver::cuMemFree_v2>(ptr); });
}

HAMI_EXPORT CUresult cuMemFree(CUdeviceptr32 ptr) {
  return free_linear(ptr, [=] { return driver<&CudaDriver::cuMemFree>(ptr); });
}
