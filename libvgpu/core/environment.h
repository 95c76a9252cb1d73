// The limits that the environment asks for. With a slice they can only lower it; without one they are
// the limits, as users of HAMi-core know them.
#pragma once

#include <cstdint>

#include "libvgpu/abi/slice.h"

namespace hami::vgpu {

struct EnvironmentLimits {
  bool any = false;  // at least one variable is set
  // Bytes by the container's device index; 0: no limit.
  std::uint64_t memory[abi::kMaxDevices] = {};
  // Percent of the card's time, 1 to 99; 0: no limit.
  std::uint32_t core[abi::kMaxDevices] = {};
  // The variable and the value that cannot be used; null when all are fine.
  const char* bad_name = nullptr;
  const char* bad_value = nullptr;
  const char* bad_kind = nullptr;  // what it was read as
};

// Looks a variable up; returns null when it is unset.
using Lookup = const char* (*)(const char* name);

// CUDA_DEVICE_MEMORY_LIMIT for every device, CUDA_DEVICE_MEMORY_LIMIT_<i> for one; 0 means no limit, also for
// one device against a limit for all. CUDA_DEVICE_SM_LIMIT the same in percent, where 100 and more is none
// too.
EnvironmentLimits read_environment(Lookup lookup) noexcept;

}  // namespace hami::vgpu
