#include "libvgpu/share/line.h"

namespace hami::vgpu::share {

bool is_taken(const Place& place, std::uint64_t now) noexcept {
  return place.since != 0 && place.since <= now && now - place.since <= kLongestWait + kPlaceLease &&
         place.until > now && place.until <= now + kPlaceLease;
}

bool is_before(const Place& other, const Place& mine) noexcept {
  if (other.since != mine.since) return other.since < mine.since;
  if (other.board != mine.board) return other.board < mine.board;
  return other.slot < mine.slot;
}

Place read_place(const abi::BoardWaiter& waiter, std::uint64_t board, std::uint64_t slot) noexcept {
  return {waiter.since.load(std::memory_order_acquire), waiter.until.load(std::memory_order_relaxed),
          waiter.device.load(std::memory_order_relaxed), board, slot};
}

Standing::Standing(abi::BoardWaiter (&waiters)[abi::kBoardWaiters], std::uint64_t board, unsigned device,
                   std::uint64_t now, std::uint64_t deadline) noexcept
    : waiters_(waiters), place_{now, now + kPlaceLease, device, board, abi::kBoardWaiters} {
  patient_until_ = deadline > now ? now + (deadline - now) / 10 * 9 : now;
  take(now);
}

// Between the exchange and the lease it is a place that nobody holds, so whoever is killed there blocks
// nobody.
void Standing::take(std::uint64_t now) noexcept {
  mine_ = nullptr;
  for (std::uint32_t i = 0; i < abi::kBoardWaiters && mine_ == nullptr; ++i) {
    abi::BoardWaiter& waiter = waiters_[i];
    const Place old = read_place(waiter, place_.board, i);
    std::uint64_t expected = old.since;
    if (is_taken(old, now) || !waiter.since.compare_exchange_strong(expected, place_.since)) continue;
    mine_ = &waiter;
    place_.slot = i;
    waiter.device.store(place_.device, std::memory_order_relaxed);
    waiter.until.store(now + kPlaceLease, std::memory_order_release);
  }
}

Standing::~Standing() {
  if (mine_ == nullptr || mine_->since.load(std::memory_order_acquire) != place_.since) return;
  mine_->until.store(0, std::memory_order_relaxed);
  mine_->since.store(0, std::memory_order_release);
}

void Standing::renew(std::uint64_t now) noexcept {
  // Who slept through its lease may have lost the slot to another.
  if (mine_ == nullptr || mine_->since.load(std::memory_order_acquire) != place_.since) return take(now);
  mine_->until.store(now + kPlaceLease, std::memory_order_release);
}

bool Standing::is_behind_own(std::uint64_t now) const noexcept {
  for (std::uint32_t i = 0; i < abi::kBoardWaiters; ++i) {
    if (&waiters_[i] == mine_) continue;
    const Place other = read_place(waiters_[i], place_.board, i);
    if (other.device == place_.device && is_taken(other, now) && is_before(other, place_)) return true;
  }
  return false;
}

}  // namespace hami::vgpu::share
