// What a test can ask of the driver: exported by libcuda.so.1 beside the driver's own functions.
//
// The same through the environment, for programs that know nothing of it: SIMGPU_FAULTS, a comma list of
//   fail:FUNCTION=CODE     the next call fails          fail:FUNCTION@N=CODE   the N-th call from now fails
//   delay:FUNCTION=MICROSECONDS                         every call
//   kill:FUNCTION@N        SIGKILL in the N-th call, before it did anything
//   kill-after:FUNCTION@N  SIGKILL when it has done its work
// and SIMGPU_COUNTS=FILE: at exit one line "FUNCTION CALLS" for each function that was called.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"

extern "C" {

// The next call of `function` (its exported symbol) fails with `code`. Returns 0, or -1 for an unknown name.
int sim_fail_next(const char* function, int code);
// The n-th call from now (1 is the next) fails.
int sim_fail_at(const char* function, unsigned n, int code);
// Every call of `function` takes this much longer; 0 ends it.
int sim_delay(const char* function, unsigned microseconds);
// The process kills itself in the n-th call: before its work, or after it.
int sim_kill_at(const char* function, unsigned n);
int sim_kill_after(const char* function, unsigned n);
// Calls of `function` since the first use of any of these hooks; all functions that are exported but not
// modelled.
std::uint64_t sim_calls(const char* function);
std::uint64_t sim_unmodelled_calls();
// Forgets all faults and counts.
void sim_reset();
// What contexts take from now on, on the device with this ordinal. Changes the state for every process.
int sim_context_bytes(int device, std::uint64_t bytes);
// What the card has lost to all processes, on the device with this ordinal.
std::uint64_t sim_used_bytes(int device);
// cuCtxSetLimit without a name that anything could have replaced: memory that the driver takes on its own.
CUresult sim_set_limit(CUlimit limit, std::size_t value);
// Time for a state with virtual_clock = 1. Returns the time after it.
std::uint64_t sim_advance_clock(std::uint64_t nanoseconds);
}
