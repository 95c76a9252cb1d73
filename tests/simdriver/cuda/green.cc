// Green contexts: parts of a device's primary context, each with a little memory of its own.
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
  CUdevice device;
};

Green* find_green(CUgreenCtx handle) {
  auto* green = reinterpret_cast<Green*>(handle);
  return green != nullptr && green->magic == kGreenMagic ? green : nullptr;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuGreenCtxCreate(CUgreenCtx* ctx, CUdevResourceDesc, CUdevice dev, unsigned) {
  SIM_ENTER(cuGreenCtxCreate);
  if (ctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  if (!charge(state_index(dev), {kGreenBytes, 0})) return CUDA_ERROR_OUT_OF_MEMORY;
  auto* green = static_cast<Green*>(calloc(1, sizeof(Green)));
  if (green == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *green = {kGreenMagic, dev};
  *ctx = reinterpret_cast<CUgreenCtx>(green);
  return CUDA_SUCCESS;
}

CUresult cuGreenCtxDestroy(CUgreenCtx ctx) {
  SIM_ENTER(cuGreenCtxDestroy);
  Green* green = find_green(ctx);
  if (green == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  refund(state_index(green->device), {kGreenBytes, 0});
  green->magic = 0;
  free(green);
  return CUDA_SUCCESS;
}
}
