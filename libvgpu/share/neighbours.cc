#include "libvgpu/share/neighbours.h"

namespace hami::vgpu::share {
namespace {

// No queue is believed to be longer than this.
constexpr std::uint64_t kLongestQueue = 2 * kSecond;

bool is_active(const Neighbour& one, std::uint64_t now) noexcept {
  return one.busy_until != 0 && one.busy_until + kStillActive > now && one.busy_until < now + 600 * kSecond;
}

bool asks_for_quiet(const Neighbour& one, std::uint64_t now) noexcept {
  return one.quiet_from <= now && one.quiet_until > now && one.quiet_until - one.quiet_from <= kLongestQuiet;
}

}  // namespace

void Neighbourhood::update(const Neighbour* found, unsigned count) noexcept {
  const LockGuard guard(lock_);
  count_ = count < kMost ? count : kMost;
  for (unsigned i = 0; i < count_; ++i) known_[i] = found[i];
  is_known_.store(1, std::memory_order_release);
}

void Neighbourhood::forget() noexcept {
  lock_.reset();
  count_ = 0;
  patience_until_ = granted_id_ = granted_from_ = 0;
  is_known_.store(0, std::memory_order_release);
}

Neighbours Neighbourhood::who(std::uint64_t now, std::int32_t priority) noexcept {
  if (!is_known()) return Neighbours::unknown;
  const LockGuard guard(lock_);
  Neighbours found = Neighbours::none;
  for (unsigned i = 0; i < count_; ++i) {
    if (!is_active(known_[i], now)) continue;
    if (known_[i].priority < priority) return Neighbours::important;
    if (found != Neighbours::some) {
      found = known_[i].priority > priority ? Neighbours::lesser : Neighbours::some;
    }
  }
  return found;
}

bool Neighbourhood::may_be_pushed_aside(std::int32_t priority) noexcept {
  if (!is_known()) return false;
  const LockGuard guard(lock_);
  for (unsigned i = 0; i < count_; ++i) {
    if (known_[i].priority < priority) return true;
  }
  return false;
}

// Quiet is paid for in advance, with the patience that comes back with time.
bool Neighbourhood::may_stay_quiet(std::uint64_t now, const Neighbour& one) noexcept {
  if (granted_id_ == one.id && granted_from_ == one.quiet_from) return true;
  const std::uint64_t price = kQuietParts * (one.quiet_until - one.quiet_from);
  const std::uint64_t begin = patience_until_ > now ? patience_until_ : now;
  if (begin + price > now + 2 * kQuietParts * kLongestQuiet) return false;
  patience_until_ = begin + price;
  granted_id_ = one.id;
  granted_from_ = one.quiet_from;
  return true;
}

std::uint64_t Neighbourhood::quiet_for_others(std::uint64_t now, std::uint64_t own, std::uint64_t own_id,
                                              std::int32_t priority) noexcept {
  const LockGuard guard(lock_);
  for (unsigned i = 0; i < count_; ++i) {
    const Neighbour& one = known_[i];
    if (one.priority > priority || !asks_for_quiet(one, now)) continue;
    const bool is_later = own != 0 && (own < one.quiet_from || (own == one.quiet_from && own_id < one.id));
    if (!is_later && may_stay_quiet(now, one)) return one.quiet_until;
  }
  return 0;
}

std::uint64_t Neighbourhood::drained_at(std::uint64_t now) noexcept {
  const LockGuard guard(lock_);
  std::uint64_t queued = 0;
  for (unsigned i = 0; i < count_; ++i) {
    if (known_[i].busy_until > now && known_[i].busy_until < now + kLongestQueue) {
      queued += known_[i].busy_until - now;
    }
  }
  return now + queued;
}

}  // namespace hami::vgpu::share
