// Primary contexts: one a device, made by the first who retains it.
#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/context.h"
#include "tests/simdriver/cuda/functions.h"

namespace hami::sim {
namespace {

SpinLock primary_lock;
Context* primaries[kMaxDevices];

Context* primary_of(CUdevice device) {
  Context*& primary = primaries[state_index(device)];
  if (primary == nullptr) {
    primary = make_context(device, 0);
    if (primary != nullptr) primary->primary = true;
  }
  return primary;
}

CUresult reset_primary(CUdevice device) {
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  const SpinGuard guard(primary_lock);
  Context* primary = primary_of(device);
  if (primary != nullptr && primary->alive) destroy_context(*primary);
  return CUDA_SUCCESS;
}

CUresult set_primary_flags(CUdevice device, unsigned flags) {
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  const SpinGuard guard(primary_lock);
  Context* primary = primary_of(device);
  if (primary != nullptr) primary->flags = flags;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult retain_primary(CUdevice device, Context*& out) {
  const SpinGuard guard(primary_lock);
  Context* primary = primary_of(device);
  if (primary == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  if (!primary->alive) SIM_TRY(activate(*primary));
  ++primary->references;
  out = primary;
  return CUDA_SUCCESS;
}

CUresult release_primary(CUdevice device) {
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  const SpinGuard guard(primary_lock);
  Context* primary = primary_of(device);
  if (primary == nullptr || primary->references == 0) return CUDA_ERROR_INVALID_CONTEXT;
  if (--primary->references == 0 && primary->alive) destroy_context(*primary);
  return CUDA_SUCCESS;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuDevicePrimaryCtxRetain(CUcontext* ctx, CUdevice dev) {
  SIM_ENTER(cuDevicePrimaryCtxRetain);
  if (ctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  Context* primary = nullptr;
  SIM_TRY(retain_primary(dev, primary));
  *ctx = handle_of(primary);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice dev) {
  SIM_ENTER(cuDevicePrimaryCtxRelease);
  return release_primary(dev);
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
  SIM_ENTER(cuDevicePrimaryCtxRelease_v2);
  return release_primary(dev);
}

CUresult cuDevicePrimaryCtxReset(CUdevice dev) {
  SIM_ENTER(cuDevicePrimaryCtxReset);
  return reset_primary(dev);
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev) {
  SIM_ENTER(cuDevicePrimaryCtxReset_v2);
  return reset_primary(dev);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned* flags, int* active) {
  SIM_ENTER(cuDevicePrimaryCtxGetState);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(primary_lock);
  const Context* primary = primaries[state_index(dev)];
  *flags = primary != nullptr ? primary->flags : 0;
  *active = primary != nullptr && primary->alive ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned flags) {
  SIM_ENTER(cuDevicePrimaryCtxSetFlags);
  return set_primary_flags(dev, flags);
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned flags) {
  SIM_ENTER(cuDevicePrimaryCtxSetFlags_v2);
  return set_primary_flags(dev, flags);
}
}
