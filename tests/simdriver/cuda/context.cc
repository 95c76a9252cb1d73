#include "tests/simdriver/cuda/context.h"

#include <stdlib.h>

#include <initializer_list>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kDefaultLimits[kLimitCount] = {1024, 1 * kMiB, 8 * kMiB, 2, 2048, 128, 0, 0};

struct Stack {
  Context* entries[kMaxDepth];
  int depth;
};

thread_local Stack stack;

SpinLock contexts_lock;
Context* contexts = nullptr;  // all that ever were
std::uint64_t next_id = 1;

bool take_context_bytes(Context& context) {
  const Guard guard(state());
  context.bytes = state().devices[context.device].context_bytes;
  if (!take(state(), slot(), context.device, {context.bytes, 0})) return false;
  count_context(state(), slot(), context.device, 1, context.bytes);
  return true;
}

void give_context_bytes(Context& context) {
  const Guard guard(state());
  count_context(state(), slot(), context.device, -1, context.bytes);
  give(state(), slot(), context.device, {context.bytes + context.limit_bytes, 0});
  context.bytes = context.limit_bytes = 0;
}

CUresult push(Context* context) {
  if (stack.depth == kMaxDepth) return CUDA_ERROR_INVALID_CONTEXT;
  stack.entries[stack.depth++] = context;
  return CUDA_SUCCESS;
}

void remove_from_stack(const Context* context) {
  if (stack.depth > 0 && stack.entries[stack.depth - 1] == context) --stack.depth;
}

CUresult create_current(CUcontext* out, unsigned flags, CUdevice device) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  Context* context = nullptr;
  SIM_TRY(create_context(device, flags, context));
  *out = handle_of(context);
  return push(context);
}

CUresult destroy_handle(CUcontext handle) {
  Context* context = find_context(handle);
  if (context == nullptr || context->primary || context->behind != nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (!context->alive) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  destroy_context(*context);
  remove_from_stack(context);
  return CUDA_SUCCESS;
}

CUresult pop(CUcontext* out) {
  if (stack.depth == 0) return CUDA_ERROR_INVALID_CONTEXT;
  Context* context = stack.entries[--stack.depth];
  if (out != nullptr) *out = handle_of(context);
  return CUDA_SUCCESS;
}

CUresult push_handle(CUcontext handle) {
  Context* context = find_context(handle);
  return context != nullptr ? push(context) : CUDA_ERROR_INVALID_CONTEXT;
}

// Device memory that a context limit stands for. Only the part above the defaults is charged.
std::uint64_t bytes_for_limits(const Context& context) {
  std::uint64_t bytes = 0;
  const Device& device = state().devices[context.device];
  if (context.limits[CU_LIMIT_STACK_SIZE] > kDefaultLimits[CU_LIMIT_STACK_SIZE]) {
    bytes += (context.limits[CU_LIMIT_STACK_SIZE] - kDefaultLimits[CU_LIMIT_STACK_SIZE]) *
             device.multiprocessors * device.threads_per_multiprocessor;
  }
  for (const int limit : {CU_LIMIT_PRINTF_FIFO_SIZE, CU_LIMIT_MALLOC_HEAP_SIZE}) {
    if (context.limits[limit] > kDefaultLimits[limit]) bytes += context.limits[limit] - kDefaultLimits[limit];
  }
  return (bytes + kBlock - 1) / kBlock * kBlock;
}

CUresult set_limit(Context& context, CUlimit limit, std::size_t value) {
  if (limit < 0 || limit >= kLimitCount) return static_cast<CUresult>(215);  // CUDA_ERROR_UNSUPPORTED_LIMIT
  const std::size_t before = context.limits[limit];
  context.limits[limit] = value;
  const std::uint64_t wanted = bytes_for_limits(context);
  const Guard guard(state());
  if (wanted > context.limit_bytes &&
      !take(state(), slot(), context.device, {wanted - context.limit_bytes, 0})) {
    context.limits[limit] = before;
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (wanted < context.limit_bytes) give(state(), slot(), context.device, {context.limit_bytes - wanted, 0});
  context.limit_bytes = wanted;
  return CUDA_SUCCESS;
}

}  // namespace

CUcontext handle_of(Context* context) { return reinterpret_cast<CUcontext>(context); }

Context* find_context(CUcontext handle) {
  const SpinGuard guard(contexts_lock);
  for (Context* at = contexts; at != nullptr; at = at->next) {
    if (handle_of(at) == handle) return at;
  }
  return nullptr;
}

CUresult current_context(Context*& out) {
  if (stack.depth == 0) return CUDA_ERROR_INVALID_CONTEXT;
  Context* top = stack.entries[stack.depth - 1];
  out = top->behind != nullptr ? top->behind : top;
  const bool is_alive =
      __atomic_load_n(&top->alive, __ATOMIC_ACQUIRE) && __atomic_load_n(&out->alive, __ATOMIC_ACQUIRE);
  return is_alive ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

Context* make_context(CUdevice device, unsigned flags) {
  auto* context = static_cast<Context*>(calloc(1, sizeof(Context)));
  if (context == nullptr) return nullptr;
  context->ordinal = device;
  context->device = state_index(device);
  context->flags = flags;
  const SpinGuard guard(contexts_lock);
  context->id = next_id++;
  context->next = contexts;
  contexts = context;
  return context;
}

CUresult activate(Context& context) {
  if (!take_context_bytes(context)) return CUDA_ERROR_OUT_OF_MEMORY;
  for (int i = 0; i < kLimitCount; ++i) context.limits[i] = kDefaultLimits[i];
  __atomic_store_n(&context.alive, true, __ATOMIC_RELEASE);
  return CUDA_SUCCESS;
}

CUresult create_context(CUdevice device, unsigned flags, Context*& out) {
  out = make_context(device, flags);
  if (out == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  out->references = 1;
  return activate(*out);
}

void destroy_context(Context& context) {
  __atomic_store_n(&context.alive, false, __ATOMIC_RELEASE);
  end_streams(context);
  release_all(context);
  give_context_bytes(context);
}

bool charge(std::uint32_t device, Amount amount) {
  const Guard guard(state());
  return take(state(), slot(), device, amount);
}

void refund(std::uint32_t device, Amount amount) {
  const Guard guard(state());
  give(state(), slot(), device, amount);
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuCtxCreate(CUcontext* ctx, unsigned flags, CUdevice dev) {
  SIM_ENTER(cuCtxCreate);
  return create_current(ctx, flags, dev);
}

CUresult cuCtxCreate_v2(CUcontext* ctx, unsigned flags, CUdevice dev) {
  SIM_ENTER(cuCtxCreate_v2);
  return create_current(ctx, flags, dev);
}

CUresult cuCtxCreate_v3(CUcontext* ctx, CUexecAffinityParam*, int, unsigned flags, CUdevice dev) {
  SIM_ENTER(cuCtxCreate_v3);
  return create_current(ctx, flags, dev);
}

CUresult cuCtxCreate_v4(CUcontext* ctx, CUctxCreateParams*, unsigned flags, CUdevice dev) {
  SIM_ENTER(cuCtxCreate_v4);
  return create_current(ctx, flags, dev);
}

CUresult cuCtxDestroy(CUcontext ctx) {
  SIM_ENTER(cuCtxDestroy);
  return destroy_handle(ctx);
}

CUresult cuCtxDestroy_v2(CUcontext ctx) {
  SIM_ENTER(cuCtxDestroy_v2);
  return destroy_handle(ctx);
}

CUresult cuCtxAttach(CUcontext* ctx, unsigned flags) {
  SIM_ENTER(cuCtxAttach);
  if (ctx == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  SIM_CONTEXT(context);
  ++context->references;
  *ctx = handle_of(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxDetach(CUcontext ctx) {
  SIM_ENTER(cuCtxDetach);
  Context* context = find_context(ctx);
  if (context == nullptr || !context->alive) return CUDA_ERROR_INVALID_CONTEXT;
  if (--context->references > 0) return CUDA_SUCCESS;
  destroy_context(*context);
  remove_from_stack(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent(CUcontext ctx) {
  SIM_ENTER(cuCtxPushCurrent);
  return push_handle(ctx);
}

CUresult cuCtxPushCurrent_v2(CUcontext ctx) {
  SIM_ENTER(cuCtxPushCurrent_v2);
  return push_handle(ctx);
}

CUresult cuCtxPopCurrent(CUcontext* ctx) {
  SIM_ENTER(cuCtxPopCurrent);
  return pop(ctx);
}

CUresult cuCtxPopCurrent_v2(CUcontext* ctx) {
  SIM_ENTER(cuCtxPopCurrent_v2);
  return pop(ctx);
}

CUresult cuCtxSetCurrent(CUcontext ctx) {
  SIM_ENTER(cuCtxSetCurrent);
  Context* context = ctx != nullptr ? find_context(ctx) : nullptr;
  if (ctx != nullptr && context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (stack.depth > 0) --stack.depth;
  return context != nullptr ? push(context) : CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* ctx) {
  SIM_ENTER(cuCtxGetCurrent);
  if (ctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *ctx = stack.depth > 0 ? handle_of(stack.entries[stack.depth - 1]) : nullptr;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
  SIM_ENTER(cuCtxGetDevice);
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_CONTEXT(context);
  *device = context->ordinal;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext ctx) {
  SIM_ENTER(cuCtxGetDevice_v2);
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (ctx == nullptr) {
    SIM_CONTEXT(context);
    *device = context->ordinal;
    return CUDA_SUCCESS;
  }
  const Context* context = find_context(ctx);
  if (context == nullptr || !context->alive) return CUDA_ERROR_INVALID_CONTEXT;
  *device = context->ordinal;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned* version) {
  SIM_ENTER(cuCtxGetApiVersion);
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Context* context = ctx != nullptr ? find_context(ctx) : nullptr;
  if (ctx != nullptr && (context == nullptr || !context->alive)) return CUDA_ERROR_INVALID_CONTEXT;
  *version = 3020;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetId(CUcontext ctx, std::uint64_t* id) {
  SIM_ENTER(cuCtxGetId);
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* context = find_context(ctx);
  if (ctx == nullptr) SIM_TRY(current_context(context));
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  *id = context->id;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetFlags(unsigned* flags) {
  SIM_ENTER(cuCtxGetFlags);
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_CONTEXT(context);
  *flags = context->flags;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(unsigned flags) {
  SIM_ENTER(cuCtxSetFlags);
  SIM_CONTEXT(context);
  context->flags = flags;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetLimit(CUlimit limit, std::size_t value) {
  SIM_ENTER(cuCtxSetLimit);
  SIM_CONTEXT(context);
  return set_limit(*context, limit, value);
}

CUresult cuCtxGetLimit(std::size_t* value, CUlimit limit) {
  SIM_ENTER(cuCtxGetLimit);
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_CONTEXT(context);
  if (limit < 0 || limit >= kLimitCount) return static_cast<CUresult>(215);  // CUDA_ERROR_UNSUPPORTED_LIMIT
  *value = context->limits[limit];
  return CUDA_SUCCESS;
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  SIM_ENTER(cuCtxGetStreamPriorityRange);
  SIM_CONTEXT(context);
  if (least != nullptr) *least = 0;
  if (greatest != nullptr) *greatest = -5;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCacheConfig(CUfunc_cache* config) {
  SIM_ENTER(cuCtxGetCacheConfig);
  if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_CONTEXT(context);
  *config = static_cast<CUfunc_cache>(0);
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCacheConfig(CUfunc_cache) {
  SIM_ENTER(cuCtxSetCacheConfig);
  SIM_CONTEXT(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  SIM_ENTER(cuCtxEnablePeerAccess);
  SIM_CONTEXT(context);
  const Context* other = find_context(peer);
  if (other == nullptr || other == context) return CUDA_ERROR_INVALID_CONTEXT;
  return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  SIM_ENTER(cuCtxDisablePeerAccess);
  SIM_CONTEXT(context);
  return find_context(peer) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}
}
