// Stream capture: calls become nodes of a graph.
#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {
namespace {

constexpr auto kWrongThread = static_cast<CUresult>(908);  // CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD
constexpr auto kImplicit = static_cast<CUresult>(906);     // CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
constexpr int kMaxCaptures = 256;

// Captures that go on in this process, and the thread that began each.
struct Capture {
  Stream* stream;
  const void* thread;
};
SpinLock captures_lock;
Capture captures[kMaxCaptures];
int capture_count = 0;  // read without the lock: almost always 0

thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
thread_local char thread_mark;  // its address is the thread's name

bool add_capture(Stream& stream) {
  const SpinGuard guard(captures_lock);
  if (capture_count == kMaxCaptures) return false;
  captures[capture_count] = {&stream, &thread_mark};
  __atomic_store_n(&capture_count, capture_count + 1, __ATOMIC_RELEASE);
  return true;
}

// The thread that began the capture of a stream; removes it.
const void* remove_capture(const Stream& stream) {
  const SpinGuard guard(captures_lock);
  for (int i = 0; i < capture_count; ++i) {
    if (captures[i].stream != &stream) continue;
    const void* thread = captures[i].thread;
    captures[i] = captures[capture_count - 1];
    __atomic_store_n(&capture_count, capture_count - 1, __ATOMIC_RELEASE);
    return thread;
  }
  return nullptr;
}

CUresult begin(CUstream handle, Door door, CUstreamCaptureMode mode, Graph* into) {
  if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
    return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (stream == stream->context->default_stream) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream->graph != nullptr) return static_cast<CUresult>(401);  // CUDA_ERROR_ILLEGAL_STATE
  stream->graph = into != nullptr ? into : make_graph();
  if (stream->graph == nullptr || !add_capture(*stream)) return CUDA_ERROR_OUT_OF_MEMORY;
  stream->last = nullptr;
  stream->mode = mode;
  stream->invalidated = false;
  stream->origin = true;
  return CUDA_SUCCESS;
}

CUresult end(CUstream handle, Door door, CUgraph* out) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (stream->graph == nullptr || !stream->origin)
    return static_cast<CUresult>(401);  // CUDA_ERROR_ILLEGAL_STATE
  const bool relaxed = stream->mode == CU_STREAM_CAPTURE_MODE_RELAXED;
  const void* thread = remove_capture(*stream);
  const bool broken = stream->invalidated;
  Graph* graph = stream->graph;
  leave_capture(graph);
  if (out != nullptr) *out = broken ? nullptr : reinterpret_cast<CUgraph>(graph);
  if (!relaxed && thread != &thread_mark) return kWrongThread;
  return broken ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
}

CUstreamCaptureStatus status_of(const Stream& stream) {
  if (stream.graph == nullptr) return CU_STREAM_CAPTURE_STATUS_NONE;
  return stream.invalidated ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

CUresult is_capturing(CUstream handle, Door door, CUstreamCaptureStatus* status) {
  if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  // The legacy default stream would wait for every blocking stream, also those that capture.
  if (stream == stream->context->default_stream && __atomic_load_n(&capture_count, __ATOMIC_ACQUIRE) > 0) {
    *status = CU_STREAM_CAPTURE_STATUS_NONE;
    return kImplicit;
  }
  *status = status_of(*stream);
  return CUDA_SUCCESS;
}

CUresult info(CUstream handle, Door door, CUstreamCaptureStatus* status, std::uint64_t* id, CUgraph* graph) {
  SIM_TRY(is_capturing(handle, door, status));
  if (*status == CU_STREAM_CAPTURE_STATUS_NONE) return CUDA_SUCCESS;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (id != nullptr) *id = reinterpret_cast<std::uintptr_t>(stream->graph);
  if (graph != nullptr) *graph = reinterpret_cast<CUgraph>(stream->graph);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult check_not_capturing() {
  if (__atomic_load_n(&capture_count, __ATOMIC_ACQUIRE) == 0) return CUDA_SUCCESS;
  if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  const SpinGuard guard(captures_lock);
  for (int i = 0; i < capture_count; ++i) {
    Stream& stream = *captures[i].stream;
    const bool mine = captures[i].thread == &thread_mark;
    const bool global =
        stream.mode == CU_STREAM_CAPTURE_MODE_GLOBAL && thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (stream.mode == CU_STREAM_CAPTURE_MODE_RELAXED || (!mine && !global)) continue;
    stream.invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return CUDA_SUCCESS;
}

CUresult invalidate(Stream& stream) {
  if (stream.invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  stream.invalidated = true;
  const SpinGuard guard(captures_lock);
  for (int i = 0; i < capture_count; ++i) {
    if (captures[i].stream->graph == stream.graph) captures[i].stream->invalidated = true;
  }
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

SIM_BOTH(cuStreamBeginCapture, cuStreamBeginCapture_ptsz, (CUstream stream),
         begin(stream, door, CU_STREAM_CAPTURE_MODE_GLOBAL, nullptr))
SIM_BOTH(cuStreamBeginCapture_v2, cuStreamBeginCapture_v2_ptsz, (CUstream stream, CUstreamCaptureMode mode),
         begin(stream, door, mode, nullptr))
SIM_BOTH(cuStreamBeginCaptureToGraph, cuStreamBeginCaptureToGraph_ptsz,
         (CUstream stream, CUgraph graph, const CUgraphNode*, const CUgraphEdgeData*, std::size_t,
          CUstreamCaptureMode mode),
         begin(stream, door, mode, reinterpret_cast<Graph*>(graph)))
SIM_BOTH(cuStreamEndCapture, cuStreamEndCapture_ptsz, (CUstream stream, CUgraph* graph),
         end(stream, door, graph))
SIM_BOTH(cuStreamIsCapturing, cuStreamIsCapturing_ptsz, (CUstream stream, CUstreamCaptureStatus* status),
         is_capturing(stream, door, status))
SIM_BOTH(cuStreamGetCaptureInfo, cuStreamGetCaptureInfo_ptsz,
         (CUstream stream, CUstreamCaptureStatus* status, std::uint64_t* id),
         info(stream, door, status, id, nullptr))
SIM_BOTH(cuStreamGetCaptureInfo_v2, cuStreamGetCaptureInfo_v2_ptsz,
         (CUstream stream, CUstreamCaptureStatus* status, std::uint64_t* id, CUgraph* graph,
          const CUgraphNode**, std::size_t*),
         info(stream, door, status, id, graph))

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  SIM_ENTER(cuThreadExchangeStreamCaptureMode);
  if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const CUstreamCaptureMode before = thread_mode;
  thread_mode = *mode;
  *mode = before;
  return CUDA_SUCCESS;
}
}
