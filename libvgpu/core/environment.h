// The memory limits that the environment asks for. With a slice they can only lower it; without one they are
// the limits, as users of HAMi-core know them.
#pragma once

#include <cstdint>

#include "libvgpu/abi/slice.h"

namespace hami::vgpu {

struct EnvironmentLimits {
  bool any = false;  // at least one variable is set
  // Bytes by the container's device index; 0: no limit.
  std::uint64_t memory[abi::kMaxDevices] = {};
  // The variable and the value that cannot be used; null when all are fine.
  const char* bad_name = nullptr;
  const char* bad_value = nullptr;
};

// Looks a variable up; returns null when it is unset.
using Lookup = const char* (*)(const char* name);

// CUDA_DEVICE_MEMORY_LIMIT for every device, CUDA_DEVICE_MEMORY_LIMIT_<i> for one; 0 means no limit, also for
// one device against a limit for all.
EnvironmentLimits read_environment(Lookup lookup) noexcept;

}  // namespace hami::vgpu
