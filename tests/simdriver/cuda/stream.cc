#include "tests/simdriver/cuda/stream.h"

#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/pool.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x6d6165727473ULL;
constexpr unsigned kNonBlocking = 1;

SpinLock streams_lock;
Stream* streams = nullptr;  // all of this process that live
std::uint64_t next_stream_id = 1;

Stream* make_stream(Context& context, unsigned flags, int priority) {
  auto* stream = static_cast<Stream*>(calloc(1, sizeof(Stream)));
  if (stream == nullptr) return nullptr;
  stream->context = &context;
  stream->flags = flags;
  stream->priority = priority;
  stream->magic = kMagic;
  const SpinGuard guard(streams_lock);
  stream->id = next_stream_id++;
  stream->next_stream = streams;
  streams = stream;
  return stream;
}

CUresult legacy_stream(Context& context, Stream*& out) {
  if (context.default_stream == nullptr) {
    Stream* made = make_stream(context, 0, 0);
    Stream* none = nullptr;
    if (!__atomic_compare_exchange_n(&context.default_stream, &none, made, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
      made->magic = 0;  // another thread was first; this one is never handed out
    }
  }
  out = context.default_stream;
  return CUDA_SUCCESS;
}

// A thread's own default streams, one for each context it used. Left behind when the thread ends.
struct OwnStream {
  Context* context;
  Stream* stream;
};
thread_local OwnStream own[kMaxDevices];

CUresult per_thread_stream(Context& context, Stream*& out) {
  OwnStream* place = &own[0];
  for (OwnStream& one : own) {
    if (one.context == &context) {
      out = one.stream;
      return CUDA_SUCCESS;
    }
    if (one.context == nullptr) place = &one;
  }
  *place = {&context, make_stream(context, 0, 0)};
  out = place->stream;
  return CUDA_SUCCESS;
}

bool waits_for_default(const Stream& stream) { return (stream.flags & kNonBlocking) == 0; }

// When work put into the stream now may begin. The legacy default stream waits for the blocking streams, and
// they for it.
std::uint64_t begin_time(const Stream& stream) {
  const Context& context = *stream.context;
  std::uint64_t time = stream.ready_ns;
  if (&stream == context.default_stream) {
    if (context.blocking_ready_ns > time) time = context.blocking_ready_ns;
  } else if (waits_for_default(stream) && context.default_stream != nullptr &&
             context.default_stream->ready_ns > time) {
    time = context.default_stream->ready_ns;
  }
  return time;
}

CUresult create(CUstream* out, unsigned flags, int priority) {
  SIM_CONTEXT(context);
  if (out == nullptr || flags > kNonBlocking) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = make_stream(*context, flags, priority);
  if (stream == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *out = handle_of(stream);
  return CUDA_SUCCESS;
}

void unlink_stream(Stream& stream) {
  const SpinGuard guard(streams_lock);
  Stream** link = &streams;
  while (*link != nullptr && *link != &stream) link = &(*link)->next_stream;
  if (*link != nullptr) *link = stream.next_stream;
}

// Work that was put in goes on; the handle ends.
CUresult destroy(CUstream handle) {
  Stream* stream = nullptr;
  if (reinterpret_cast<std::uintptr_t>(handle) <= kPerThreadStream) return CUDA_ERROR_INVALID_HANDLE;
  SIM_TRY(find_stream(handle, Door::legacy, stream));
  unlink_stream(*stream);
  stream->magic = 0;
  free(stream);
  return CUDA_SUCCESS;
}

CUresult query(CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (stream->graph != nullptr) return invalidate(*stream);
  return stream->ready_ns <= now() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult synchronize_handle(CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  return synchronize(*stream);
}

template <typename Value, typename Member>
CUresult read_member(CUstream handle, Door door, Value* out, Member Stream::*member) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  *out = stream->*member;
  return CUDA_SUCCESS;
}

CUresult context_of(CUstream handle, Door door, CUcontext* out) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  *out = hami::sim::handle_of(stream->context);
  return CUDA_SUCCESS;
}

CUresult device_of_stream(CUstream handle, Door door, CUdevice* out) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  *out = stream->context->ordinal;
  return CUDA_SUCCESS;
}

// The host's work comes after the stream's; the simulation does it in the calling thread.
CUresult host_function(CUstream handle, Door door, CUhostFn function, void* data) {
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (capture_node(*stream, CU_GRAPH_NODE_TYPE_HOST) != nullptr) return CUDA_SUCCESS;
  wait_until(stream->ready_ns);
  function(data);
  return CUDA_SUCCESS;
}

CUresult callback_function(CUstream handle, Door door, CUstreamCallback function, void* data) {
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (stream->graph != nullptr) return invalidate(*stream);
  wait_until(stream->ready_ns);
  function(handle, CUDA_SUCCESS, data);
  return CUDA_SUCCESS;
}

}  // namespace

CUstream handle_of(Stream* stream) { return reinterpret_cast<CUstream>(stream); }

CUresult find_stream(CUstream handle, Door door, Stream*& out) {
  SIM_CONTEXT(context);
  const auto value = reinterpret_cast<std::uintptr_t>(handle);
  if (value == kPerThreadStream || (value == 0 && door == Door::per_thread))
    return per_thread_stream(*context, out);
  if (value == kLegacyStream || value == 0) return legacy_stream(*context, out);
  out = reinterpret_cast<Stream*>(handle);
  return out->magic == kMagic ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

void enqueue(Stream& stream, Work work) {
  wait_until(stream.ends[stream.next_end]);
  const std::uint64_t end = schedule(*stream.context, work, begin_time(stream));
  stream.ready_ns = end;
  stream.ends[stream.next_end] = end;
  stream.next_end = (stream.next_end + 1) % kMaxPending;
  Context& context = *stream.context;
  if (waits_for_default(stream) && end > context.blocking_ready_ns) context.blocking_ready_ns = end;
  if (end > context.last_work_ns) context.last_work_ns = end;
}

CUresult synchronize(Stream& stream) {
  if (stream.graph != nullptr) return invalidate(stream);
  wait_until(stream.ready_ns);
  trim_pools(stream.context->device);
  return CUDA_SUCCESS;
}

CUresult synchronize_context(Context& context) {
  SIM_TRY(check_not_capturing());
  wait_until(context.last_work_ns);
  trim_pools(context.device);
  return CUDA_SUCCESS;
}

void leave_capture(const Graph* graph) {
  const SpinGuard guard(streams_lock);
  for (Stream* at = streams; at != nullptr; at = at->next_stream) {
    if (at->graph != graph) continue;
    at->graph = nullptr;
    at->last = nullptr;
    at->invalidated = at->origin = false;
  }
}

void end_streams(Context& context) {
  const SpinGuard guard(streams_lock);
  Stream** link = &streams;
  while (*link != nullptr) {
    if ((*link)->context == &context) {
      (*link)->magic = 0;  // kept: a thread may still hold it as its default stream
      *link = (*link)->next_stream;
    } else {
      link = &(*link)->next_stream;
    }
  }
  context.default_stream = nullptr;
  context.blocking_ready_ns = 0;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  SIM_ENTER(cuStreamCreate);
  return create(stream, flags, 0);
}

CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int priority) {
  SIM_ENTER(cuStreamCreateWithPriority);
  return create(stream, flags, priority);
}

CUresult cuStreamDestroy(CUstream stream) {
  SIM_ENTER(cuStreamDestroy);
  return destroy(stream);
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  SIM_ENTER(cuStreamDestroy_v2);
  return destroy(stream);
}

SIM_BOTH(cuStreamQuery, cuStreamQuery_ptsz, (CUstream stream), query(stream, door))
SIM_BOTH(cuStreamSynchronize, cuStreamSynchronize_ptsz, (CUstream stream), synchronize_handle(stream, door))
SIM_BOTH(cuStreamGetFlags, cuStreamGetFlags_ptsz, (CUstream stream, unsigned* flags),
         read_member(stream, door, flags, &Stream::flags))
SIM_BOTH(cuStreamGetPriority, cuStreamGetPriority_ptsz, (CUstream stream, int* priority),
         read_member(stream, door, priority, &Stream::priority))
SIM_BOTH(cuStreamGetId, cuStreamGetId_ptsz, (CUstream stream, std::uint64_t* id),
         read_member(stream, door, id, &Stream::id))
SIM_BOTH(cuStreamGetCtx, cuStreamGetCtx_ptsz, (CUstream stream, CUcontext* ctx),
         context_of(stream, door, ctx))
SIM_BOTH(cuStreamGetDevice, cuStreamGetDevice_ptsz, (CUstream stream, CUdevice* device),
         device_of_stream(stream, door, device))
SIM_BOTH(cuLaunchHostFunc, cuLaunchHostFunc_ptsz, (CUstream stream, CUhostFn fn, void* data),
         host_function(stream, door, fn, data))
SIM_BOTH(cuStreamAddCallback, cuStreamAddCallback_ptsz,
         (CUstream stream, CUstreamCallback callback, void* data, unsigned),
         callback_function(stream, door, callback, data))
SIM_BOTH(cuStreamAttachMemAsync, cuStreamAttachMemAsync_ptsz, (CUstream, CUdeviceptr, std::size_t, unsigned),
         CUDA_SUCCESS)

CUresult cuCtxSynchronize() {
  SIM_ENTER(cuCtxSynchronize);
  SIM_CONTEXT(context);
  return synchronize_context(*context);
}

CUresult cuCtxSynchronize_v2(CUcontext ctx) {
  SIM_ENTER(cuCtxSynchronize_v2);
  Context* context = ctx != nullptr ? find_context(ctx) : nullptr;
  if (ctx == nullptr) SIM_TRY(current_context(context));
  return context != nullptr && context->alive ? synchronize_context(*context) : CUDA_ERROR_INVALID_CONTEXT;
}
}
