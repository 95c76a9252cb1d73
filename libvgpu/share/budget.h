// The card time of one container on one device: earned at the rate of its share, taken by its launches,
// shared by all its processes through one page. No lock, no system call, no clock of its own.
//
// The state is one word: the time until which everything taken so far is earned (a leaky bucket kept as a
// theoretical arrival time). Later than now: a debt, and the word says to the nanosecond when it is paid.
// Earlier: savings, of which kSavings at most count.
#pragma once

#include <cstdint>

#include "libvgpu/abi/usage.h"
#include "libvgpu/share/share.h"

namespace hami::vgpu::share {

// The most that an idle container saves up, as time of earning. A window of 100 ms after a pause then holds
// at most 1.3 times the share.
inline constexpr std::uint64_t kSavings = 30 * kMillisecond;

// No debt is longer than this: a page that some process of the container spoilt must not hold it for ever.
// Half a second of card time at 1 % is 50 s.
inline constexpr std::uint64_t kLongestDebt = 120 * kSecond;

class Budget {
 public:
  constexpr Budget() noexcept = default;
  explicit Budget(abi::CoreBudget& shared) noexcept : shared_(&shared) {}

  // Takes `card_ns` of card time, as estimated. Returns when that may be used: the time at which everything
  // taken before is earned. Who takes first is served first.
  std::uint64_t take(std::uint64_t now, std::uint64_t card_ns, Share share) noexcept;

  // Takes without anybody waiting for it: while the container may use the whole card.
  void note(std::uint64_t now, std::uint64_t card_ns) noexcept;

  // The container has work on the card that has not ended.
  void note_busy(std::uint64_t now) noexcept { shared_->busy_until.store(now, std::memory_order_relaxed); }

  // What was taken turned out to be `card_ns` more (or less, when negative). Later launches pay for it.
  void settle(std::uint64_t now, std::int64_t card_ns, Share share) noexcept;

  // When a launch may go that needs to wait, if the share has changed since its `start` was given.
  std::uint64_t restated(std::uint64_t now, std::uint64_t start, Share before, Share after) const noexcept;

  // How much true time an estimated one is, as the outer correction found: 65536 is 1 : 1.
  std::uint32_t correction() const noexcept;
  void set_correction(std::uint32_t correction) noexcept;

  std::uint64_t taken() const noexcept { return shared_->taken.load(std::memory_order_relaxed); }

  // Of a measured launch of process `pid` that ended now and took `elapsed_ns`: the part in which no launch
  // of another process of the container was measured. Together they cannot have used more than the time that
  // passed.
  std::uint64_t own_part(std::uint64_t now, std::uint64_t elapsed_ns, std::uint32_t pid) noexcept;

 private:
  void follow(std::uint64_t now, Share share) noexcept;

  abi::CoreBudget* shared_ = nullptr;
};

inline constexpr std::uint32_t kNoCorrection = 65536;

// A container counts as a user of its card for this long after its last launch should have ended.
inline constexpr std::uint64_t kStillActive = 100 * kMillisecond;

inline bool is_active(const abi::CoreBudget& budget, std::uint64_t now) noexcept {
  const std::uint64_t until = budget.busy_until.load(std::memory_order_relaxed);
  return until != 0 && until + kStillActive > now && until < now + kLongestDebt + 600 * kSecond;
}

}  // namespace hami::vgpu::share
