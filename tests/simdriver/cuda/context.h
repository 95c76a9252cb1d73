// Contexts: what owns memory in a process, and what a thread's calls are about.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"
#include "tests/simdriver/cuda/driver.h"
#include "tests/simdriver/state/accounts.h"

namespace hami::sim {

inline constexpr int kLimitCount = 8;  // CUlimit 0 to 7
inline constexpr int kSizeClasses = 12;

struct Slab;
struct Stream;

// Never freed: a program may hold a pointer to one that is destroyed, and is told so.
struct Context {
  CUdevice ordinal;
  std::uint32_t device;  // index in State::devices
  bool primary;
  bool alive;
  unsigned flags;
  unsigned references;  // of a primary context; of others 1, and cuCtxAttach
  std::uint64_t id;
  std::uint64_t bytes;        // charged for the context itself
  std::uint64_t limit_bytes;  // charged for what cuCtxSetLimit asked for
  std::size_t limits[kLimitCount];
  SpinLock slab_locks[kSizeClasses];
  Slab* slabs[kSizeClasses];        // those with room
  Stream* default_stream;           // the legacy one; made when first used
  std::uint64_t blocking_ready_ns;  // when the streams that the legacy default stream waits for are done
  std::uint64_t last_work_ns;       // when everything given to this context is done
  Context* behind;                  // of a green context: the primary one, which owns what is made in it
  Context* next;
};

// The context of a handle; null when it is none of ours.
Context* find_context(CUcontext handle);
CUcontext handle_of(Context* context);

// The calling thread's context. CUDA_ERROR_INVALID_CONTEXT without one, CUDA_ERROR_CONTEXT_IS_DESTROYED.
CUresult current_context(Context*& out);

// Makes one that has no memory yet; takes its memory.
Context* make_context(CUdevice device, unsigned flags);
CUresult activate(Context& context);

// Makes one and takes its memory from the card.
CUresult create_context(CUdevice device, unsigned flags, Context*& out);

// The device's primary context, with one user more or less; it ends with the last.
CUresult retain_primary(CUdevice device, Context*& out);
CUresult release_primary(CUdevice device);

// Ends it: its memory goes back with everything allocated in it.
void destroy_context(Context& context);

// take() and give() for this process, with the state's lock.
bool charge(std::uint32_t device, Amount amount);
void refund(std::uint32_t device, Amount amount);

}  // namespace hami::sim

// Puts the calling thread's context into `name` or leaves the function.
#define SIM_CONTEXT(name)             \
  hami::sim::Context* name = nullptr; \
  SIM_TRY(hami::sim::current_context(name))
