// Contexts take what was allocated in them along when they end. Every context gets a number, which the
// records of its objects carry.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

// The number of the calling thread's current context, from 1 on; 0 when there is none, or too many live at
// once.
unsigned current_context() noexcept;

// The number of a context that was made just now; primary_ordinal: of the device whose primary context it is,
// -1 when the program made it.
unsigned note_context(CUcontext context, CUdevice primary_ordinal) noexcept;

// `alias` was another name of a primary context and ends. What was made under it stays until the primary
// context ends; its address may be another context's from now on.
void end_alias(CUcontext alias) noexcept;

// The calling thread's current context, by one question to the driver in a process with one device. Two
// words, so that it is returned in registers: every allocation asks.
struct Current {
  std::int64_t device;  // the container's index; -1: none, or one that the container was not given
  std::uint64_t word;   // see below

  // As current_context() says.
  unsigned number() const noexcept { return static_cast<unsigned>(word); }
  // What the driver said when it told no device.
  CUresult status() const noexcept { return device < 0 ? static_cast<CUresult>(word) : CUDA_SUCCESS; }
};
Current current() noexcept;

// The objects of one context, or of a device's primary context, while a call may be ending it. Allocations
// that other threads make meanwhile belong to the context's next life. Made before the driver is called:
//   { Ending ending = Ending::of(context); status = …; ending.done(status == CUDA_SUCCESS); }
class Ending {
 public:
  static Ending of(CUcontext context) noexcept;
  static Ending of_primary(CUdevice ordinal) noexcept;

  // The context is gone: everything it held is given back. Otherwise everything stays as it was.
  void done(bool is_gone) noexcept;

 private:
  static constexpr unsigned kMax = 64;  // numbers that one context may have got, by its aliases for one
  struct Retired {
    unsigned number;
    CUcontext context;
    int primary_of;
  };
  template <typename Wanted>
  void retire(Wanted wanted) noexcept;

  Retired retired_[kMax];  // the first `count_`
  unsigned count_ = 0;
};

// True when the device's primary context exists. The driver's own word.
bool is_primary_active(CUdevice ordinal) noexcept;

// In the child of a fork.
void forget_contexts() noexcept;

}  // namespace hami::vgpu
