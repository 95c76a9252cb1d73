// CUDA numbers devices as CUDA_VISIBLE_DEVICES orders them; the slice and the page number them once for the
// container.
#pragma once

#include <atomic>
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

// The lowest CUDA device that is the container's device `index`; -1 when there is none.
CUdevice ordinal_of(unsigned index) noexcept;

// The container's index of the device of the calling thread's current context; -1 also when there is none,
// and then `status` is the driver's answer.
int current_device_index(CUresult& status) noexcept;

// Index + 1 of the process's only device; 0: not known yet, below 0: there are several.
extern constinit std::atomic<int> g_only_device;

// Finds out whether the process has one device. `index`: the container's index of its current one.
void learn_only_device(int index) noexcept;

// The container's index of the process's only device; -1 when there are several, or nobody knows yet.
inline int only_device() noexcept {
  const int only = g_only_device.load(std::memory_order_relaxed);
  return only > 0 ? only - 1 : -1;
}

// In the child of a fork.
void forget_only_device() noexcept;

}  // namespace hami::vgpu
