// One device of the container as this process paces its launches. Pure: time comes from the caller, who also
// sleeps and asks the driver.
//
// A launch goes three ways. Usually its cost comes off the thread's batch, a few instructions. When the batch
// is empty, the next one is taken from the container's budget, and the launch waits until that is earned. And
// some of those launches are measured, which is what the costs are learned from.
#pragma once

#include <cstdint>

#include "libvgpu/share/budget.h"
#include "libvgpu/share/kernels.h"
#include "libvgpu/share/quiet.h"
#include "libvgpu/share/samples.h"

namespace hami::vgpu::share {

// Card time that one thread has taken from the budget and not used yet.
struct Batch {
  std::int64_t left_ns = 0;
  std::uint64_t size_ns = 0;  // of the last one; grows while the thread keeps launching
  std::uint64_t taken_at = 0;

  // Pays for a launch when the batch covers it: then it may go at once.
  bool spend(const Kernel& kernel) noexcept {
    const auto cost = static_cast<std::int64_t>(kernel.cost());
    if (!kernel.is_measured() || left_ns < cost) return false;
    left_ns -= cost;
    return true;
  }
};

// What a batch is at most, as time of earning: what a thread that stops launching leaves unused.
inline constexpr std::uint64_t kLargestBatch = kMillisecond;

class Pacer {
 public:
  constexpr Pacer() noexcept = default;
  Pacer(abi::CoreBudget& shared, Kernels& kernels) noexcept : budget_(shared), kernels_(&kernels) {}

  // Gives a default-made pacer what it works on.
  void attach(abi::CoreBudget& shared, Kernels& kernels, const Seat& seat = {}) noexcept {
    budget_ = Budget(shared);
    kernels_ = &kernels;
    quiet_.attach(seat);
  }

  // Pays for a launch that its batch did not cover, and fills the batch. Returns when the launch may go.
  std::uint64_t take(Batch& batch, Kernel& kernel, std::uint64_t now, Share share) noexcept;

  // The sample in `slot` has ended, and its events say `span`. `pid`: this process. Without boards of the
  // neighbours each kernel counts the whole time: a limit holds, and is not used up, while others use the
  // card.
  void measured(int slot, std::uint64_t now, const Span& span, Share share, std::uint32_t pid) noexcept;

  // Until when a launch of `kernel` should wait for samples under way, at most; 0 when it need not. See
  // Samples. A kernel that has not ended after the longest hold counts as one that takes this long.
  std::uint64_t hold_until(const Kernel& kernel, std::uint64_t now, Share share) noexcept;

  // The launch has work on the card from `now` on, as far as others want to know.
  void tell_busy(std::uint64_t now) noexcept { quiet_.tell_busy(now + samples_.queued(), now); }

  Samples& samples() noexcept { return samples_; }
  Quiet& quiet() noexcept { return quiet_; }
  Budget& budget() noexcept { return budget_; }
  Kernels& kernels() noexcept { return *kernels_; }

 private:
  void learn(Kernel& kernel, std::uint64_t now, std::uint64_t card_ns, Seen seen, Share share) noexcept;
  void settle_overlap(std::uint64_t now, std::uint64_t card_ns, bool is_clean, Share share) noexcept;
  std::uint64_t depth(std::uint64_t now) noexcept;

  Budget budget_;
  Kernels* kernels_ = nullptr;
  Samples samples_;
  Quiet quiet_;
};

}  // namespace hami::vgpu::share
