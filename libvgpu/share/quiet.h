// Quiet on the card, for a moment: how a container learns what its kernels cost while others use the card
// too. From a kernel's begin to its end the card may have served somebody else; so one launch of each kernel
// is measured while the neighbours launch nothing. They lose no card time by it, only their turn: what they
// have queued runs first.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/share/kernels.h"
#include "libvgpu/share/neighbours.h"

namespace hami::vgpu::share {

// What a process knows of one card besides its own work.
struct Seat {
  Neighbourhood* others = nullptr;    // nullptr: nobody tells
  abi::BoardDevice* board = nullptr;  // what this container tells
  std::uint64_t id = 0;               // of this container's board
  std::int32_t priority = 1;
};

// Neighbours see a request within this time: they look at the boards now and then.
inline constexpr std::uint64_t kNotice = 4 * kMillisecond;

class Quiet {
 public:
  void attach(const Seat& seat) noexcept { seat_ = seat; }

  // A launch of `kernel` is due at `now`, behind `queued` card time of this process: 0 when it may go, else
  // when to look again. Who is more important than all others waits for none of them. `is_whole`: nothing
  // depends on what it costs, the card is this container's. `clean_until` becomes the time until which nobody
  // else works on the card, UINT64_MAX where nobody else is, 0 where that is not known.
  //
  // Quiet is for one launch: other threads and processes of the container wait as the neighbours do, or the
  // launch would be measured with their work in it. `asks` is the launch's own, false at first.
  std::uint64_t wait(const Kernel& kernel, std::uint64_t now, std::uint64_t queued, bool is_whole, bool& asks,
                     std::uint64_t& clean_until) noexcept;

  // The measurement that was asked for is made, or will not be.
  void release(std::uint64_t now) noexcept;

  // Whether a measurement that began with `clean_until` and ended at `ended` was one of this container alone.
  bool was_clean(std::uint64_t clean_until, std::uint64_t ended, std::uint64_t now) noexcept;

  // What the others should know: the process has work on the card until `time`.
  void tell_busy(std::uint64_t time, std::uint64_t now) noexcept;

  Neighbours who(std::uint64_t now) noexcept {
    return seat_.others == nullptr ? Neighbours::unknown : seat_.others->who(now, seat_.priority);
  }
  bool may_be_pushed_aside() noexcept {
    return seat_.others != nullptr && seat_.others->may_be_pushed_aside(seat_.priority);
  }
  const Seat& seat() const noexcept { return seat_; }

  // In the child of a fork.
  void clear() noexcept;

 private:
  bool wants(const Kernel& kernel, std::uint64_t now) const noexcept;
  bool ask(const Kernel& kernel, std::uint64_t now, std::uint64_t queued) noexcept;
  std::uint64_t quiet_of_own(std::uint64_t now) const noexcept;

  Seat seat_;
  std::atomic<std::uint64_t> asked_at_{0};  // 0: this process does not ask
  std::atomic<std::uint64_t> clear_at_{0};  // when the others' work should have ended
  std::atomic<std::uint64_t> released_at_{0};
  std::atomic<std::uint64_t> next_at_{0};  // not before that it asks again
};

}  // namespace hami::vgpu::share
