// Any bytes as a slice file: either refused, or every field is in its range.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "libvgpu/core/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hami::abi::SliceFile slice = {};
  std::memcpy(&slice, data, size < sizeof slice ? size : sizeof slice);
  // Half of the inputs get a right seal, so that the checks behind it are reached too.
  if (size > 0 && (data[size - 1] & 1U) != 0) hami::abi::seal(slice);
  hami::abi::SliceFile copy = {};
  if (!hami::vgpu::copy_slice(slice, copy)) return 0;
  if (copy.device_count > hami::abi::kMaxDevices) std::abort();
  for (std::uint32_t i = 0; i < copy.device_count; ++i) {
    if (std::strlen(copy.devices[i].uuid) >= sizeof copy.devices[i].uuid) std::abort();
    if (copy.devices[i].core_limit > 100) std::abort();
  }
  return 0;
}
