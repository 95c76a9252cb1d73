// Launches that are being measured: an event before and one behind them. Which of them are under way decides
// whether the next launch should wait for the card to catch up.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/share/kernels.h"

namespace hami::vgpu::share {

// How much work a process may have queued behind what is known to have ended: a container that used the whole
// card gives it back within this and one kernel.
inline constexpr std::uint64_t kQueueDepth = 50 * kMillisecond;
// The same while others use the card, and where more important tasks may come at any moment.
inline constexpr std::uint64_t kSharedQueueDepth = 20 * kMillisecond;
inline constexpr std::uint64_t kLowQueueDepth = kMillisecond;

// A launch that waits for another one's end is let go after this: that one may wait for this one (a kernel
// that spins until a later kernel writes, a stream that waits for the host).
inline constexpr std::uint64_t kLongestHold = kSecond;

// A measured launch on the card's clock. `begin_gap` and `end_gap`: by how much it began and ended later than
// another measured launch of the process, which ran in another stream; less than 0 when earlier.
struct Span {
  std::uint64_t elapsed = 0;
  bool has_other = false;
  std::int64_t begin_gap = 0;
  std::int64_t end_gap = 0;
};

// Kernels in several streams run side by side, or wait for one another behind their begin: together they use
// the card for the time that passed, not for the sum of their times. The part of `span` that the other launch
// does not cover; a cost never falls to less than an eighth of what one sample took.
std::uint64_t own_part(const Span& span) noexcept;

class Samples {
 public:
  static constexpr int kSlots = 4;

  // Reserves a slot for a launch that will be measured; -1 when all are in use.
  int begin(Kernel& kernel) noexcept;

  // The launch of a reserved slot was made at `now`: it counts from here on. The card was free of others'
  // work then and stays so until `clean_until`; 0: it was not.
  void launched(int slot, std::uint64_t now, std::uint64_t clean_until = UINT64_MAX) noexcept;

  // The slot is free again: it was measured, or the launch failed.
  void end(int slot) noexcept;

  // The process launched, or is about to, what should take `card_ns`.
  void note_launched(std::uint64_t card_ns) noexcept {
    launched_ns_.fetch_add(card_ns, std::memory_order_relaxed);
  }
  // The sample of `slot` was seen to have ended, and with it what was launched before it.
  void note_ended(int slot) noexcept;

  bool is_launched(int slot) const noexcept {
    return slots_[slot].state.load(std::memory_order_acquire) == kLaunched;
  }
  // The slots whose launches are under way, in the order of the launches; returns how many.
  int in_order(int (&slots)[kSlots]) const noexcept;

  // Only while the caller keeps the slot from ending.
  Kernel& kernel(int slot) const noexcept { return *slots_[slot].kernel; }
  std::uint64_t launched_at(int slot) const noexcept { return slots_[slot].launched_at; }
  std::uint64_t clean_until(int slot) const noexcept { return slots_[slot].clean_until; }
  // Card time that the process had queued then.
  std::uint64_t behind(int slot) const noexcept { return slots_[slot].behind; }

  // Card time that was launched and is not known to have ended.
  std::uint64_t queued() const noexcept {
    return launched_ns_.load(std::memory_order_relaxed) - ended_ns_.load(std::memory_order_relaxed);
  }

  // Until when a launch of `kernel` should wait for samples under way, at most; 0 when it need not. It should
  // look again whenever one has ended.
  //
  // The first launch of a kernel is measured before the second one goes: nothing else tells 5 us from 500 ms.
  // `given_up`: a sample that nobody waits for any longer from now on, -1 usually.
  // `depth`: how much may be queued.
  std::uint64_t hold_until(const Kernel& kernel, std::uint64_t now, std::uint64_t depth,
                           int& given_up) noexcept;

  // In the child of a fork.
  void clear() noexcept;

 private:
  enum : std::uint32_t { kFree, kReserved, kLaunched };
  struct Slot {
    std::atomic<std::uint32_t> state;
    std::atomic<std::uint32_t> is_overdue;  // nobody waits for it any more
    Kernel* kernel;
    std::uint64_t launched_at;
    std::uint64_t clean_until;
    std::uint64_t behind;    // card time that was queued
    std::uint64_t position;  // launched_ns_ with this launch
  };
  Slot slots_[kSlots] = {};
  std::atomic<std::uint64_t> launched_ns_{0};  // ever, as estimated
  std::atomic<std::uint64_t> ended_ns_{0};     // of that, known to have ended
};

}  // namespace hami::vgpu::share
