// How much memory a device has: the slice's, never more than the card's.
#include "libvgpu/core/view.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/cuda/stock.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// Asks the driver for `free` and `total` of the current device through `call` and answers for the container.
// The driver allows null for what a program does not want to know.
template <typename Size, typename Call>
CUresult mem_info(Size* free, Size* total, Call call) noexcept {
  if (mode() == Mode::off) return call(free, total);
  if (mode() == Mode::unusable) return kUnusable;
  Size real_free = 0;
  Size real_total = 0;
  const CUresult status = call(&real_free, &real_total);
  if (status != CUDA_SUCCESS) return status;
  const Current now = current();  // a context that the program got past us is counted from here on
  if (now.device < 0) return kUnusable;
  const auto index = static_cast<unsigned>(now.device);
  settle_stock(index);
  reconcile(index);
  const DeviceView view = view_device(limit_of(index), g_process.account.used(index), real_total, real_free);
  if (free != nullptr) *free = static_cast<Size>(view.free);
  if (total != nullptr) *total = static_cast<Size>(view.total);
  return CUDA_SUCCESS;
}

template <typename Size, typename Call>
CUresult total_mem(Size* bytes, CUdevice ordinal, Call call) noexcept {
  if (mode() == Mode::unusable) return kUnusable;
  const CUresult status = call();
  if (status != CUDA_SUCCESS || mode() == Mode::off) return status;
  const int device = device_index(ordinal);
  if (device < 0) return kUnusable;
  const std::uint64_t limit = limit_of(static_cast<unsigned>(device));
  if (limit != 0 && limit < *bytes) *bytes = static_cast<Size>(limit);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return mem_info(free, total, [](auto* f, auto* t) { return driver<&CudaDriver::cuMemGetInfo_v2>(f, t); });
}

HAMI_EXPORT CUresult cuMemGetInfo(unsigned* free, unsigned* total) {
  return mem_info(free, total, [](auto* f, auto* t) { return driver<&CudaDriver::cuMemGetInfo>(f, t); });
}

HAMI_EXPORT CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice dev) {
  return total_mem(bytes, dev, [=] { return driver<&CudaDriver::cuDeviceTotalMem_v2>(bytes, dev); });
}

HAMI_EXPORT CUresult cuDeviceTotalMem(unsigned* bytes, CUdevice dev) {
  return total_mem(bytes, dev, [=] { return driver<&CudaDriver::cuDeviceTotalMem>(bytes, dev); });
}
