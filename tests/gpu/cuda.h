// The driver as a program finds it, and what the programs of this suite tell their judge.
//
// They are written for a real card: nothing but libcuda.so.1 is needed, no toolkit. The simulated driver runs
// them too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libvgpu/cuda/types.h"

namespace hami::gpu {

inline constexpr std::size_t kMiB = std::size_t{1} << 20U;

struct Cuda {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/cuda/functions.def"
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/passthrough.def"
};
extern Cuda cuda;

// Opens the driver, makes the first device's primary context the current one. Ends the program when there is
// none.
CUdevice start();

// Ends the program when a call that must succeed did not.
void must(CUresult status, const char* what);

// Prints "ok WHAT" or "not ok WHAT", and remembers the latter for exit_status().
void expect(bool is_good, const char* what);
int exit_status();

// What the driver says is free of the container's memory, and how much of it is in use.
std::size_t free_bytes();
std::size_t used_bytes();

// Has the judge compare what this container says it uses with what NVML sees of it, now. Without a judge it
// goes on.
void checkpoint(const char* name);

// Takes pieces through `take(bytes)` until the smallest is refused, the largest first; returns how much was
// taken. `least` is a power of two.
template <typename Take>
std::size_t take_all(std::size_t least, Take take) {
  std::size_t taken = 0;
  for (std::size_t piece = std::size_t{1} << 34U; piece >= least; piece /= 2) {
    while (take(piece)) taken += piece;
  }
  return taken;
}

}  // namespace hami::gpu
