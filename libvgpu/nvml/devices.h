// NVML names devices by opaque handles; the slice and the page number them once for the container.
#pragma once

#include "libvgpu/nvml/types.h"

namespace hami::vgpu {

// The container's index of a device; -1 for one that the container was not given, or when NVML does not
// answer.
int device_index(nvmlDevice_t device) noexcept;

// Handles may mean other devices after NVML was shut down.
void forget_devices() noexcept;

}  // namespace hami::vgpu
