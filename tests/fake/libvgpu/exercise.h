// What the scenarios of vgpu-exercise share: the driver as a program finds it, and a line per step.
#pragma once

#include <cstddef>

#include "libvgpu/cuda/types.h"

namespace hami::exercise {

inline constexpr std::size_t kMiB = std::size_t{1} << 20U;

// The functions as a program finds them: through dlsym.
struct Cuda {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/functions.def"
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/passthrough.def"
};
extern Cuda cuda;
extern CUdevice device;

// Prints "NAME: STATUS, free N MiB", as the driver says it now.
void step(const char* name, CUresult status);

// Bytes that are free, as the driver says.
std::size_t free_bytes();

// A context of its own, now the current one.
CUcontext create();

// What asks for memory at a location; on the device, on ours.
CUmemAllocationProp memory_at(CUmemLocationType type);

// Runs a scenario in a process of its own, with `value` as its argument, to its end.
void elsewhere(const char* scenario, const char* value);

// What that process was given.
const char* argument();

// A descriptor as the argument of the other process, which inherits it.
struct DescriptorText {
  explicit DescriptorText(int fd);
  char text[16];
};

struct Scenario {
  const char* name;
  void (*run)();
};

// Of pools, of graphs, of every way to free, and of multicast objects; each ends with a row without a name.
extern const Scenario kPoolScenarios[];
extern const Scenario kGraphScenarios[];
extern const Scenario kFreeScenarios[];
extern const Scenario kMulticastScenarios[];

}  // namespace hami::exercise
