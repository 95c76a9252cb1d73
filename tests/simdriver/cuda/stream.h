// Streams: order of work, and recording it into graphs instead of doing it.
#pragma once

#include <cstdint>

#include "tests/simdriver/cuda/work.h"

namespace hami::sim {

struct Graph;
struct Node;

inline constexpr std::uint32_t kMaxPending = 1024;  // launches a stream takes before the next one waits

struct Stream {
  std::uint64_t magic;
  Context* context;
  unsigned flags;
  int priority;
  std::uint64_t id;
  std::uint64_t ready_ns;  // when everything in it is done
  std::uint64_t ends[kMaxPending];
  std::uint32_t next_end;

  Graph* graph;  // being captured into; null: not capturing
  Node* last;    // the node that the next one depends on
  bool invalidated;
  bool origin;  // capture began here, not by waiting for an event of another stream
  CUstreamCaptureMode mode;
  Stream* next_stream;
};

// Which default stream the handle 0 means: decided by the name of the function that was called.
enum class Door { legacy, per_thread };

// The stream of a handle. CUDA_ERROR_INVALID_HANDLE for one that is none.
CUresult find_stream(CUstream handle, Door door, Stream*& out);
CUstream handle_of(Stream* stream);

// Puts work at the end of a stream; waits first when the stream has all the work it can hold.
void enqueue(Stream& stream, Work work);

// Waits for the stream, and lets the pools give back what they hold too much.
CUresult synchronize(Stream& stream);
CUresult synchronize_context(Context& context);

// Streams of a context that is destroyed.
void end_streams(Context& context);

// Why a call that could wait or allocate may not be made now: a capture of this thread, or a global one of
// another, forbids it, and is broken by the attempt. CUDA_SUCCESS when there is none.
CUresult check_not_capturing();

// Streams that were captured into `graph` work again.
void leave_capture(const Graph* graph);

// A capture is broken: its stream says so from now on.
CUresult invalidate(Stream& stream);

}  // namespace hami::sim

// Defines a stream function and its per-thread-default-stream form; `door` in the expression tells which was
// called.
#define SIM_BOTH(symbol, per_thread_symbol, params, expression) \
  CUresult symbol params {                                      \
    SIM_ENTER(symbol);                                          \
    [[maybe_unused]] constexpr Door door = Door::legacy;        \
    return expression;                                          \
  }                                                             \
  CUresult per_thread_symbol params {                           \
    SIM_ENTER(per_thread_symbol);                               \
    [[maybe_unused]] constexpr Door door = Door::per_thread;    \
    return expression;                                          \
  }
