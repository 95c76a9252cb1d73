// What the files of the simulated libnvidia-ml.so.1 share.
#pragma once

#include "libvgpu/nvml/types.h"
#include "tests/simdriver/state/layout.h"

extern "C" {
#define HAMI_FN(symbol, since, result, params, args) result symbol params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result symbol params;
#include "libvgpu/nvml/functions.def"
}

namespace hami::sim {

// The state; null before nvmlInit and after the last nvmlShutdown.
State* nvml_state();

// Devices this process can open, in NVML's order (PCI bus). `index` is the NVML index.
int nvml_device_count();
nvmlDevice_t nvml_handle(int index);

// A MIG instance of a card, which is State::devices[card]; null when there is none, or this process cannot
// open it.
nvmlDevice_t nvml_instance(std::uint32_t card, std::uint32_t instance);

// What a handle means. Fails with UNINITIALIZED, INVALID_ARGUMENT or GPU_IS_LOST.
struct NvmlDevice {
  State* state = nullptr;
  Device* device = nullptr;
  std::uint32_t index = 0;       // in State::devices
  std::uint32_t nvml_index = 0;  // of an instance: its number on its card
};
nvmlReturn_t nvml_device(nvmlDevice_t handle, NvmlDevice& out);

// Copies text into a caller's buffer: INSUFFICIENT_SIZE when it does not fit.
nvmlReturn_t nvml_text(char* out, unsigned length, const char* text);

}  // namespace hami::sim

// Leaves the function unless `handle` is a device; `name` is then an NvmlDevice.
#define NVML_DEVICE(name, handle)                                                                         \
  hami::sim::NvmlDevice name;                                                                             \
  if (const nvmlReturn_t nvml_result = hami::sim::nvml_device(handle, name); nvml_result != NVML_SUCCESS) \
  return nvml_result

// Stores a value through an out-parameter that must not be null, as the last statement of a function.
#define NVML_PUT(pointer, value)                                \
  if ((pointer) == nullptr) return NVML_ERROR_INVALID_ARGUMENT; \
  *(pointer) = (value);                                         \
  return NVML_SUCCESS
