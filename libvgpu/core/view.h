// What a device looks like from inside the container; CUDA and NVML both answer from here, so they agree.
#pragma once

#include <cstdint>

namespace hami::vgpu {

struct DeviceView {
  std::uint64_t total = 0;  // bytes
  std::uint64_t free = 0;
  std::uint64_t used = 0;  // the container's
};

// limit: 0 for none, then the driver's numbers stand. used: bytes admitted for the container, possibly above
// a limit that was lowered.
constexpr DeviceView view_device(std::uint64_t limit, std::uint64_t used, std::uint64_t real_total,
                                 std::uint64_t real_free) noexcept {
  if (limit == 0) return {real_total, real_free, real_total > real_free ? real_total - real_free : 0};
  const std::uint64_t total = limit < real_total ? limit : real_total;
  const std::uint64_t left = used < total ? total - used : 0;
  // Other containers may have filled the card.
  return {total, left < real_free ? left : real_free, used < total ? used : total};
}

}  // namespace hami::vgpu
