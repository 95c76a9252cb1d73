// The end of contexts: what was allocated in them is free again.
#include "libvgpu/core/process.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

template <typename Call>
CUresult destroy(CUcontext context, Call call) noexcept {
  if (mode() != Mode::on) return call();
  drop_samples();
  Ending ending = Ending::of(context);
  const CUresult status = call();
  ending.done(status == CUDA_SUCCESS);
  return status;
}

// Several users may hold a primary context: it ends with the last one.
template <typename Call>
CUresult release_primary(CUdevice ordinal, Call call) noexcept {
  if (mode() != Mode::on) return call();
  drop_samples();
  Ending ending = Ending::of_primary(ordinal);
  const CUresult status = call();
  ending.done(status == CUDA_SUCCESS && !is_primary_active(ordinal));
  return status;
}

// Resetting destroys everything in the context, also when it stays retained.
template <typename Call>
CUresult reset_primary(CUdevice ordinal, Call call) noexcept {
  if (mode() != Mode::on) return call();
  drop_samples();
  Ending ending = Ending::of_primary(ordinal);
  const CUresult status = call();
  ending.done(status == CUDA_SUCCESS);
  return status;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuCtxDestroy_v2(CUcontext ctx) {
  return destroy(ctx, [=] { return driver<&CudaDriver::cuCtxDestroy_v2>(ctx); });
}

HAMI_EXPORT CUresult cuCtxDestroy(CUcontext ctx) {
  return destroy(ctx, [=] { return driver<&CudaDriver::cuCtxDestroy>(ctx); });
}

// Drops one of the references that cuCtxAttach counts; whether it was the last one, only the driver knows.
HAMI_EXPORT CUresult cuCtxDetach(CUcontext ctx) {
  if (mode() != Mode::on) return driver<&CudaDriver::cuCtxDetach>(ctx);
  drop_samples();
  Ending ending = Ending::of(ctx);
  const CUresult status = driver<&CudaDriver::cuCtxDetach>(ctx);
  unsigned version = 0;
  const bool is_alive = driver<&CudaDriver::cuCtxGetApiVersion>(ctx, &version) == CUDA_SUCCESS;
  ending.done(status == CUDA_SUCCESS && !is_alive);
  return status;
}

HAMI_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
  return release_primary(dev, [=] { return driver<&CudaDriver::cuDevicePrimaryCtxRelease_v2>(dev); });
}

HAMI_EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice dev) {
  return release_primary(dev, [=] { return driver<&CudaDriver::cuDevicePrimaryCtxRelease>(dev); });
}

HAMI_EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev) {
  return reset_primary(dev, [=] { return driver<&CudaDriver::cuDevicePrimaryCtxReset_v2>(dev); });
}

HAMI_EXPORT CUresult cuDevicePrimaryCtxReset(CUdevice dev) {
  return reset_primary(dev, [=] { return driver<&CudaDriver::cuDevicePrimaryCtxReset>(dev); });
}
