// NVML names devices by opaque handles; the slice and the page number them once for the container.
#pragma once

#include "libvgpu/nvml/types.h"

namespace hami::vgpu {

// The container's index of a device; -1 for one that the container was not given, or when NVML does not
// answer.
int device_index(nvmlDevice_t device) noexcept;

// Is it a card of which the container was given nothing? A program that can open such a card all the same is
// told no more of it than of one that it may not open. A card that is divided into instances is none: the
// container was given those.
bool is_hidden(nvmlDevice_t device) noexcept;

// Handles may mean other devices after NVML was shut down.
void forget_devices() noexcept;

}  // namespace hami::vgpu
