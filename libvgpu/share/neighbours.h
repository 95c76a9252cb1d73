// The other containers on one card, as their boards tell. Pure: who reads the boards is the caller.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/board.h"
#include "libvgpu/core/lock.h"
#include "libvgpu/share/budget.h"
#include "libvgpu/share/policy.h"

namespace hami::vgpu::share {

// What one neighbour said when it was last looked at.
struct Neighbour {
  std::uint64_t id = 0;
  std::int32_t priority = 1;
  std::uint64_t busy_until = 0;
  std::uint64_t quiet_from = 0;
  std::uint64_t quiet_until = 0;
};

// The longest time for which one container may ask the others to launch nothing.
inline constexpr std::uint64_t kLongestQuiet = 200 * kMillisecond;

// Of its time a container is quiet for others at most one part in this many, whatever they ask for.
inline constexpr std::uint64_t kQuietParts = 5;

class Neighbourhood {
 public:
  static constexpr unsigned kMost = 32;

  // Replaces what is known. Those beyond kMost are left out: the limit holds all the same.
  void update(const Neighbour* found, unsigned count) noexcept;

  // Nobody tells: there are no boards.
  void forget() noexcept;

  bool is_known() const noexcept { return is_known_.load(std::memory_order_acquire) != 0; }

  // Who uses the card besides a container of `priority`.
  Neighbours who(std::uint64_t now, std::int32_t priority) noexcept;

  // Whether a more important container has this card too, busy or not.
  bool may_be_pushed_aside(std::int32_t priority) noexcept;

  // Until when this container of `priority` is to launch nothing; 0: it may, whatever less important ones ask
  // for. `own`: when it asked for quiet itself, 0 if it does not; who asked first is the one to be heard.
  std::uint64_t quiet_for_others(std::uint64_t now, std::uint64_t own, std::uint64_t own_id,
                                 std::int32_t priority) noexcept;

  // When the work should have ended that the others have on the card now; `now` when they have none.
  std::uint64_t drained_at(std::uint64_t now) noexcept;

 private:
  bool may_stay_quiet(std::uint64_t now, const Neighbour& one) noexcept;

  SpinLock lock_;
  Neighbour known_[kMost];
  unsigned count_ = 0;
  std::atomic<std::uint32_t> is_known_{0};
  std::uint64_t patience_until_ = 0;  // the quiet granted so far is paid for by then
  std::uint64_t granted_id_ = 0;      // of the quiet granted last
  std::uint64_t granted_from_ = 0;
};

}  // namespace hami::vgpu::share
