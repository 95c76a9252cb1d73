// Events: points in a stream's work.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/pool.h"
#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x746e657665ULL;
constexpr unsigned kDisableTiming = 2;
constexpr double kNanosecondsPerMillisecond = 1e6;

struct Event {
  std::uint64_t magic;
  unsigned flags;
  bool recorded;
  std::uint32_t device;
  std::uint64_t time_ns;
  Graph* graph;  // recorded in a capture: a point of this graph, not of time
  Node* node;
  Stream* stream;
};

Event* find_event(CUevent handle) {
  auto* event = reinterpret_cast<Event*>(handle);
  return event != nullptr && event->magic == kMagic ? event : nullptr;
}

CUresult record(CUevent handle, CUstream stream_handle, Door door) {
  Event* event = find_event(handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  event->graph = stream->graph;
  event->node = stream->last;
  event->stream = stream;
  event->device = stream->context->device;
  if (stream->graph != nullptr) return CUDA_SUCCESS;
  event->recorded = true;
  event->time_ns = stream->ready_ns > now() ? stream->ready_ns : now();
  return CUDA_SUCCESS;
}

// A stream that waits for an event of a capture becomes part of it.
CUresult wait(CUstream stream_handle, CUevent handle, Door door) {
  const Event* event = find_event(handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  if (event->graph != nullptr) {
    if (stream->graph == nullptr) {
      stream->graph = event->graph;
      stream->mode = event->stream->mode;
    }
    stream->last = event->node;
    return CUDA_SUCCESS;
  }
  if (stream->graph != nullptr) return invalidate(*stream);
  if (event->recorded && event->time_ns > stream->ready_ns) stream->ready_ns = event->time_ns;
  return CUDA_SUCCESS;
}

CUresult destroy(CUevent handle) {
  Event* event = find_event(handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  event->magic = 0;
  free(event);
  return CUDA_SUCCESS;
}

CUresult elapsed(float* milliseconds, CUevent from, CUevent to) {
  const Event* start = find_event(from);
  const Event* end = find_event(to);
  if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (start == nullptr || end == nullptr || !start->recorded || !end->recorded)
    return CUDA_ERROR_INVALID_HANDLE;
  if (((start->flags | end->flags) & kDisableTiming) != 0) return CUDA_ERROR_INVALID_HANDLE;
  if (end->time_ns > now() || start->time_ns > now()) return CUDA_ERROR_NOT_READY;
  const double nanoseconds = static_cast<double>(end->time_ns) - static_cast<double>(start->time_ns);
  *milliseconds = static_cast<float>(nanoseconds / kNanosecondsPerMillisecond);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuEventCreate(CUevent* event, unsigned flags) {
  SIM_ENTER(cuEventCreate);
  SIM_CONTEXT(context);
  if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto* made = static_cast<Event*>(calloc(1, sizeof(Event)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  made->magic = kMagic;
  made->flags = flags;
  *event = reinterpret_cast<CUevent>(made);
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event) {
  SIM_ENTER(cuEventDestroy);
  return destroy(event);
}

CUresult cuEventDestroy_v2(CUevent event) {
  SIM_ENTER(cuEventDestroy_v2);
  return destroy(event);
}

SIM_BOTH(cuEventRecord, cuEventRecord_ptsz, (CUevent event, CUstream stream), record(event, stream, door))
SIM_BOTH(cuEventRecordWithFlags, cuEventRecordWithFlags_ptsz, (CUevent event, CUstream stream, unsigned),
         record(event, stream, door))
SIM_BOTH(cuStreamWaitEvent, cuStreamWaitEvent_ptsz, (CUstream stream, CUevent event, unsigned),
         wait(stream, event, door))

CUresult cuEventQuery(CUevent event) {
  SIM_ENTER(cuEventQuery);
  const Event* found = find_event(event);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return !found->recorded || found->time_ns <= now() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent event) {
  SIM_ENTER(cuEventSynchronize);
  const Event* found = find_event(event);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!found->recorded) return CUDA_SUCCESS;
  wait_until(found->time_ns);
  trim_pools(found->device);
  return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  SIM_ENTER(cuEventElapsedTime);
  return elapsed(milliseconds, start, end);
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
  SIM_ENTER(cuEventElapsedTime_v2);
  return elapsed(milliseconds, start, end);
}
}
