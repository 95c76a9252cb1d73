// The life of contexts: what they cost is charged, and when they end, what was allocated in them is free
// again.
#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// Makes a context on a device through `call`; `undo` destroys it when it does not fit.
template <typename Call, typename Undo>
CUresult make(CUcontext* out, CUdevice ordinal, bool is_primary, Call call, Undo undo) noexcept {
  const int device = mode() == Mode::on && out != nullptr ? device_index(ordinal) : -1;
  if (device < 0) return call();
  ContextMaking making(static_cast<unsigned>(device), ordinal);
  if (!making.reservation()) return refusal(making.reservation());
  const CUresult status = call();
  if (status != CUDA_SUCCESS) return status;
  if (making.keep(*out, is_primary)) return CUDA_SUCCESS;
  Ending ending = Ending::of(*out);
  undo(*out);
  ending.done(true);
  *out = nullptr;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

template <typename Call>
CUresult create(CUcontext* out, CUdevice ordinal, Call call) noexcept {
  return make(out, ordinal, false, call, [](CUcontext made) {
    if (driver<&CudaDriver::cuCtxDestroy_v2>(made) == CUDA_ERROR_NOT_SUPPORTED) {
      driver<&CudaDriver::cuCtxDestroy>(made);
    }
  });
}

CUresult release_once(CUdevice ordinal) noexcept {
  const CUresult status = driver<&CudaDriver::cuDevicePrimaryCtxRelease_v2>(ordinal);
  return status == CUDA_ERROR_NOT_SUPPORTED ? driver<&CudaDriver::cuDevicePrimaryCtxRelease>(ordinal)
                                            : status;
}

template <typename Call>
CUresult destroy(CUcontext context, Call call) noexcept {
  if (mode() != Mode::on) return call();
  drop_samples();
  Ending ending = Ending::of(context);
  const CUresult status = call();
  ending.done(status == CUDA_SUCCESS);
  return status;
}

// What a green context took from each device, + 1; 0: this process made none yet.
constinit std::atomic<std::uint64_t> g_green_bytes[abi::kMaxDevices] = {};
constexpr std::uint64_t kGreenEstimate = std::uint64_t{32} << 20U;

template <typename Call>
CUresult make_green(CUgreenCtx* out, unsigned device, Call call) noexcept {
  const std::uint64_t known = g_green_bytes[device].load(std::memory_order_relaxed);
  Reservation reservation = reserve(device, known != 0 ? known - 1 : kGreenEstimate);
  if (!reservation) return refusal(reservation);
  const Growth growth(device);
  const CUresult status = call();
  if (status != CUDA_SUCCESS) return status;
  const std::uint64_t bytes = growth.bytes();
  if (known < bytes + 1) g_green_bytes[device].store(bytes + 1, std::memory_order_relaxed);
  if (reservation.settle(bytes, limit_of(device)) &&
      keep(Space::context, reinterpret_cast<std::uintptr_t>(*out), 0, reservation))
    return CUDA_SUCCESS;
  driver<&CudaDriver::cuGreenCtxDestroy>(*out);
  *out = nullptr;
  return CUDA_ERROR_OUT_OF_MEMORY;
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

HAMI_EXPORT CUresult cuCtxCreate(CUcontext* ctx, unsigned flags, CUdevice dev) {
  return create(ctx, dev, [=] { return driver<&CudaDriver::cuCtxCreate>(ctx, flags, dev); });
}

HAMI_EXPORT CUresult cuCtxCreate_v2(CUcontext* ctx, unsigned flags, CUdevice dev) {
  return create(ctx, dev, [=] { return driver<&CudaDriver::cuCtxCreate_v2>(ctx, flags, dev); });
}

HAMI_EXPORT CUresult cuCtxCreate_v3(CUcontext* ctx, CUexecAffinityParam* params_array, int num_params,
                                    unsigned flags, CUdevice dev) {
  return create(ctx, dev, [=] {
    return driver<&CudaDriver::cuCtxCreate_v3>(ctx, params_array, num_params, flags, dev);
  });
}

HAMI_EXPORT CUresult cuCtxCreate_v4(CUcontext* ctx, CUctxCreateParams* ctx_create_params, unsigned flags,
                                    CUdevice dev) {
  return create(ctx, dev,
                [=] { return driver<&CudaDriver::cuCtxCreate_v4>(ctx, ctx_create_params, flags, dev); });
}

// Only the first of a device's users makes the context.
HAMI_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* ctx, CUdevice dev) {
  const auto call = [=] { return driver<&CudaDriver::cuDevicePrimaryCtxRetain>(ctx, dev); };
  if (mode() != Mode::on || is_primary_active(dev)) return call();
  return make(ctx, dev, true, call, [=](CUcontext) { release_once(dev); });
}

// It costs little beside the primary context, which it makes when there is none; how much the first one
// tells.
HAMI_EXPORT CUresult cuGreenCtxCreate(CUgreenCtx* ctx, CUdevResourceDesc desc, CUdevice dev, unsigned flags) {
  const auto call = [=] { return driver<&CudaDriver::cuGreenCtxCreate>(ctx, desc, dev, flags); };
  const int device = mode() == Mode::on && ctx != nullptr ? device_index(dev) : -1;
  if (device < 0) return call();
  CUcontext primary = nullptr;
  const CUresult is_there = cuDevicePrimaryCtxRetain(&primary, dev);
  if (is_there != CUDA_SUCCESS) return is_there;
  const CUresult status = make_green(ctx, static_cast<unsigned>(device), call);
  release_primary(dev, [=] { return release_once(dev); });
  return status;
}

// The primary context may end with it.
HAMI_EXPORT CUresult cuGreenCtxDestroy(CUgreenCtx ctx) {
  const auto call = [=] { return driver<&CudaDriver::cuGreenCtxDestroy>(ctx); };
  if (mode() != Mode::on) return call();
  const auto name = reinterpret_cast<std::uintptr_t>(ctx);
  const std::optional<Record> record = g_process.records.take(Space::context, name);
  CUcontext alias = nullptr;
  if (!record || driver<&CudaDriver::cuCtxFromGreenCtx>(&alias, ctx) != CUDA_SUCCESS) alias = nullptr;
  const CUdevice ordinal = record ? ordinal_of(record->device) : -1;
  if (ordinal < 0) return call();
  const CUresult status = release_primary(ordinal, call);
  if (status == CUDA_SUCCESS) {
    end_alias(alias);
    give_back(*record);
  } else {
    put_back(Space::context, name, *record);
  }
  return status;
}

// Another name for a green context, which is charged. What is made under it belongs to the primary context.
HAMI_EXPORT CUresult cuCtxFromGreenCtx(CUcontext* context, CUgreenCtx ctx) {
  const CUresult status = driver<&CudaDriver::cuCtxFromGreenCtx>(context, ctx);
  if (status != CUDA_SUCCESS || mode() != Mode::on) return status;
  const auto name = reinterpret_cast<std::uintptr_t>(ctx);
  const std::optional<Record> record = g_process.records.take(Space::context, name);
  note_context(*context, record ? ordinal_of(record->device) : -1);
  if (record) put_back(Space::context, name, *record);
  return status;
}

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
