// A part of a card's time, in thousandths: what a container may use of it.
#pragma once

#include <cstdint>

namespace hami::vgpu::share {

// 1 to 1000; 1000 is the whole card.
struct Share {
  std::uint32_t thousandths = 1000;

  bool is_whole() const noexcept { return thousandths >= 1000; }
  bool operator==(const Share&) const = default;
};

// A limit in percent as users write it; 0 and everything from 100 on is the whole card.
constexpr Share share_of_percent(std::uint32_t percent) noexcept {
  return Share{percent == 0 || percent >= 100 ? 1000 : percent * 10};
}

inline constexpr std::uint64_t kMicrosecond = 1'000;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;

// How long it takes to earn `card_ns` of card time.
constexpr std::uint64_t earning_time(std::uint64_t card_ns, Share share) noexcept {
  return card_ns * 1000 / share.thousandths;
}

}  // namespace hami::vgpu::share
