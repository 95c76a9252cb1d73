// Which device of the container an identifier means.
#pragma once

#include <string_view>

#include "libvgpu/abi/slice.h"

namespace hami::vgpu {

// True for two spellings of one UUID: "GPU-<u>" as NVML and the slice write it, and CUDA's bytes as text. A
// MIG device's prefix is "MIG-".
bool same_uuid(std::string_view a, std::string_view b) noexcept;

// The device that number `ordinal` of CUDA_VISIBLE_DEVICES' list means, when the list is numbers or UUIDs:
// `uuids` is the container's own list of UUIDs in order (NVIDIA_VISIBLE_DEVICES). Without a usable list the
// ordinal itself.
int index_from_lists(std::string_view visible, std::string_view uuids, int ordinal) noexcept;

}  // namespace hami::vgpu
