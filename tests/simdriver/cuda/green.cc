// Green contexts: parts of a device's primary context, each with a little memory of its own. They keep the
// primary one alive, and what is made in them is the primary one's.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/context.h"
#include "tests/simdriver/cuda/functions.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kGreenMagic = 0x6e65657267ULL;
constexpr std::uint64_t kGreenBytes = 8 * kMiB;

struct Green {
  std::uint64_t magic;
  Context* context;  // what a thread makes current
};

Green* find_green(CUgreenCtx handle) {
  auto* green = reinterpret_cast<Green*>(handle);
  return green != nullptr && green->magic == kGreenMagic ? green : nullptr;
}

// `primary` has one user more already.
CUresult make_green(CUdevice device, Context* primary, CUgreenCtx* out) {
  auto* green = static_cast<Green*>(calloc(1, sizeof(Green)));
  Context* context = make_context(device, 0);
  if (green == nullptr || context == nullptr || !charge(context->device, {kGreenBytes, 0})) {
    free(green);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  context->behind = primary;
  __atomic_store_n(&context->alive, true, __ATOMIC_RELEASE);
  *green = {kGreenMagic, context};
  *out = reinterpret_cast<CUgreenCtx>(green);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuGreenCtxCreate(CUgreenCtx* ctx, CUdevResourceDesc, CUdevice dev, unsigned) {
  SIM_ENTER(cuGreenCtxCreate);
  if (ctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  Context* primary = nullptr;
  SIM_TRY(retain_primary(dev, primary));
  const CUresult status = make_green(dev, primary, ctx);
  if (status != CUDA_SUCCESS) release_primary(dev);
  return status;
}

CUresult cuGreenCtxDestroy(CUgreenCtx ctx) {
  SIM_ENTER(cuGreenCtxDestroy);
  Green* green = find_green(ctx);
  if (green == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  Context* context = green->context;
  __atomic_store_n(&context->alive, false, __ATOMIC_RELEASE);
  refund(context->device, {kGreenBytes, 0});
  green->magic = 0;
  free(green);
  return release_primary(context->ordinal);
}

CUresult cuCtxFromGreenCtx(CUcontext* context, CUgreenCtx ctx) {
  SIM_ENTER(cuCtxFromGreenCtx);
  const Green* green = find_green(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (green == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  *context = handle_of(green->context);
  return CUDA_SUCCESS;
}
}
