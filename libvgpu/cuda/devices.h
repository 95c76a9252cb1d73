// CUDA numbers devices as CUDA_VISIBLE_DEVICES orders them; the slice and the page number them once for the
// container.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

// Length of "GPU-8-4-4-4-12" with its end.
inline constexpr unsigned kUuidText = 41;

// "GPU-" and the 16 bytes in the groups of a UUID.
void uuid_to_text(const CUuuid& uuid, char (&text)[kUuidText]) noexcept;

// The container's index of a CUDA device; -1, with one log line, for a device that the container was not
// given.
int device_index(CUdevice ordinal) noexcept;

// The same for the device of the calling thread's current context; -1 also when there is none, and then
// `status` is the driver's answer.
int current_device_index(CUresult& status) noexcept;

}  // namespace hami::vgpu
