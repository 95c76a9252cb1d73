#include "libvgpu/share/budget.h"

namespace hami::vgpu::share {
namespace {

constexpr std::uint32_t kLeastCorrection = kNoCorrection / 8;
constexpr std::uint32_t kMostCorrection = kNoCorrection * 4;

// What a stored `paid_until` counts as: never more savings, and never more debt, than there can be.
std::uint64_t bounded(std::uint64_t paid_until, std::uint64_t now) noexcept {
  const std::uint64_t least = now > kSavings ? now - kSavings : 0;
  if (paid_until < least) return least;
  return paid_until > now + kLongestDebt ? now + kLongestDebt : paid_until;
}

constexpr std::uint64_t kOwner = 1023;  // the bits of CoreBudget::measured that say whose it was

// The largest single cost that is believed: ten minutes.
std::uint64_t believable(std::uint64_t card_ns) noexcept {
  return card_ns < 600 * kSecond ? card_ns : 600 * kSecond;
}

}  // namespace

std::uint32_t Budget::correction() const noexcept {
  const std::uint32_t stored = shared_->correction.load(std::memory_order_relaxed);
  if (stored == 0) return kNoCorrection;
  if (stored < kLeastCorrection) return kLeastCorrection;
  return stored > kMostCorrection ? kMostCorrection : stored;
}

void Budget::set_correction(std::uint32_t correction) noexcept {
  shared_->correction.store(correction, std::memory_order_relaxed);
}

std::uint64_t Budget::take(std::uint64_t now, std::uint64_t card_ns, Share share) noexcept {
  follow(now, share);
  card_ns = believable(card_ns * correction() / kNoCorrection);
  const std::uint64_t price = earning_time(card_ns, share);
  std::uint64_t stored = shared_->paid_until.load(std::memory_order_relaxed);
  std::uint64_t start = bounded(stored, now);
  while (!shared_->paid_until.compare_exchange_weak(stored, start + price, std::memory_order_relaxed)) {
    start = bounded(stored, now);
  }
  shared_->taken.fetch_add(card_ns, std::memory_order_relaxed);
  shared_->busy_until.store((start > now ? start : now) + card_ns, std::memory_order_relaxed);
  return start;
}

void Budget::note(std::uint64_t now, std::uint64_t card_ns) noexcept {
  follow(now, Share{});
  card_ns = believable(card_ns * correction() / kNoCorrection);
  shared_->taken.fetch_add(card_ns, std::memory_order_relaxed);
  shared_->busy_until.store(now + card_ns, std::memory_order_relaxed);
}

void Budget::settle(std::uint64_t now, std::int64_t card_ns, Share share) noexcept {
  const bool more = card_ns > 0;
  const std::uint64_t amount =
      believable(static_cast<std::uint64_t>(more ? card_ns : -card_ns) * correction() / kNoCorrection);
  const std::uint64_t price = earning_time(amount, share);
  std::uint64_t stored = shared_->paid_until.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    const std::uint64_t start = bounded(stored, now);
    next = more ? start + price : (start > price ? start - price : 0);
  } while (!shared_->paid_until.compare_exchange_weak(stored, next, std::memory_order_relaxed));
  if (more) {
    shared_->taken.fetch_add(amount, std::memory_order_relaxed);
  } else {
    shared_->taken.fetch_sub(amount, std::memory_order_relaxed);
  }
}

// A debt that was made at another rate takes longer, or less long, to earn from now on. Who used the whole
// card has saved nothing. One process restates it for all.
void Budget::follow(std::uint64_t now, Share share) noexcept {
  std::uint32_t before = shared_->share.load(std::memory_order_relaxed);
  if (before == share.thousandths) [[likely]]
    return;
  if (!shared_->share.compare_exchange_strong(before, share.thousandths, std::memory_order_relaxed)) return;
  if (before == 0 || before > 1000) return;
  std::uint64_t stored = shared_->paid_until.load(std::memory_order_relaxed);
  while (stored < now && before == Share{}.thousandths) {
    if (shared_->paid_until.compare_exchange_weak(stored, now, std::memory_order_relaxed)) return;
  }
  while (stored > now) {
    const std::uint64_t debt = bounded(stored, now) - now;
    const std::uint64_t next = now + debt * before / share.thousandths;
    if (shared_->paid_until.compare_exchange_weak(stored, next, std::memory_order_relaxed)) return;
  }
}

std::uint64_t Budget::own_part(std::uint64_t now, std::uint64_t elapsed_ns, std::uint32_t pid) noexcept {
  const std::uint64_t owner = pid & kOwner;
  const std::uint64_t stored = shared_->measured.load(std::memory_order_relaxed);
  const std::uint64_t until = stored & ~kOwner;
  if (until < now) shared_->measured.store((now & ~kOwner) | owner, std::memory_order_relaxed);
  // Those of one process follow each other.
  if ((stored & kOwner) == owner || until > now || until + elapsed_ns <= now) return elapsed_ns;
  const std::uint64_t least = elapsed_ns / 64;
  return now - until > least ? now - until : least;
}

std::uint64_t Budget::restated(std::uint64_t now, std::uint64_t start, Share before,
                               Share after) const noexcept {
  if (start <= now || before == after) return start;
  if (after.is_whole()) return now;
  return now + (start - now) * before.thousandths / after.thousandths;
}

}  // namespace hami::vgpu::share
