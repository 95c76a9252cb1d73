// Which share of a card holds now: the container's limit, the whole card, or the floor of a task that a more
// important one has pushed aside.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/slice.h"
#include "libvgpu/share/share.h"

namespace hami::vgpu::share {

// Who else uses the card, as far as anybody told us.
enum class Neighbours : int {
  unknown,    // nobody tells: the limit holds
  none,       // the container is alone on it
  lesser,     // others used it lately, all of a lower priority
  some,       // others used it lately
  important,  // others of a higher priority did
};

// The least that a task of low priority gets while more important ones run, so that it does not starve.
inline constexpr Share kDefaultFloor{50};

// The share that holds. `limit` whole: the container has no core limit of its own.
Share share_now(abi::CorePolicy policy, Share limit, Share floor, Neighbours neighbours) noexcept;

// HAMi's monitor writes two words. `utilization_switch` 0: alone on its cards. `recent_kernel` negative:
// pushed aside, and that is all a monitor that has died leaves behind; so it counts for kPauseLease after the
// word was first seen negative, and then is taken back, which a living monitor contradicts at its next round.
inline constexpr std::uint64_t kPauseLease = 2 * kSecond - 100 * kMillisecond;

class MonitorWord {
 public:
  // What the words say at `now`. `take_back` becomes true when recent_kernel is to be written 0.
  Neighbours read(std::int32_t utilization_switch, std::int32_t recent_kernel, std::uint64_t now,
                  bool& take_back) noexcept;

 private:
  std::atomic<std::uint64_t> paused_since_{0};  // 0: not paused
};

}  // namespace hami::vgpu::share
