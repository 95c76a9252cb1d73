// What happens to a request that there is no room for: on the card, where a slice may say that it waits, and
// under the container's own limit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

// For how many seconds a request waits for a device that is full; 0: it gets the driver's answer at once.
std::uint32_t room_wait(unsigned device) noexcept;

// The wait of one request. Nobody may hold a lock of ours meanwhile.
class RoomWait {
 public:
  RoomWait(unsigned device, std::uint32_t seconds) noexcept;
  ~RoomWait();
  RoomWait(const RoomWait&) = delete;
  RoomWait& operator=(const RoomWait&) = delete;

  // Sleeps until it is worth asking the driver, which is its turn in the line. False: the time is over.
  bool next() noexcept;

 private:
  bool is_our_turn(std::uint64_t now) const noexcept;

  unsigned device_;
  std::uint64_t deadline_;
  bool has_asked_ = false;
  alignas(share::Standing) unsigned char standing_[sizeof(share::Standing)];
};

// Asks the driver through `call` for memory that fits under the limit, and again when the card was full and
// the container's slice says to wait. `gives_up`: the last answer was not the card's.
template <typename Call>
CUresult with_room(unsigned device, Call call, const bool& gives_up) noexcept {
  const std::uint32_t seconds = room_wait(device);
  if (seconds == 0) [[likely]]
    return call();
  RoomWait wait(device, seconds);
  CUresult status = CUDA_ERROR_OUT_OF_MEMORY;
  while (wait.next()) {
    status = call();
    if (status != CUDA_ERROR_OUT_OF_MEMORY || gives_up) return status;
  }
  return status;
}
template <typename Call>
CUresult with_room(unsigned device, Call call) noexcept {
  return with_room(device, call, false);
}

// A request for `bytes` does not fit under the container's `limit`. Where the slice has the active OOM killer
// the process ends here, otherwise nothing happens: the caller refuses.
void over_the_limit(unsigned device, std::uint64_t bytes, std::uint64_t limit) noexcept;

}  // namespace hami::vgpu
