#include "libvgpu/share/quiet.h"

namespace hami::vgpu::share {
namespace {

// How long a cost measured alone is good for; the first few samples do not make a mean yet.
constexpr std::uint64_t kFresh = 2 * kSecond;
constexpr std::uint64_t kFreshAtFirst = 50 * kMillisecond;
constexpr std::uint32_t kFirstSamples = 6;

// Kernels longer than this are not measured alone: the others would stand still for too long.
constexpr std::uint64_t kLongestMeasured = 80 * kMillisecond;

constexpr std::uint64_t kPoll = 200 * kMicrosecond;
constexpr std::uint64_t kLook = kMillisecond;

// Between two requests of one container lies this many times the length of the first.
constexpr std::uint64_t kPause = 8;

std::uint64_t earlier(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? a : b; }

}  // namespace

bool Quiet::wants(const Kernel& kernel, std::uint64_t now) const noexcept {
  if (seat_.board == nullptr || kernel.cost() > kLongestMeasured) return false;
  if (now < next_at_.load(std::memory_order_relaxed)) return false;
  const std::uint64_t clean_at = kernel.clean_at.load(std::memory_order_relaxed);
  const bool is_new = kernel.samples.load(std::memory_order_relaxed) < kFirstSamples;
  return clean_at == 0 || now > clean_at + (is_new ? kFreshAtFirst : kFresh);
}

bool Quiet::ask(const Kernel& kernel, std::uint64_t now, std::uint64_t queued) noexcept {
  const std::uint64_t clear = seat_.others->drained_at(now + kNotice);
  const std::uint64_t needed = clear + queued + 2 * kernel.cost() + kMillisecond;
  next_at_.store(now + kPause * kNotice, std::memory_order_relaxed);
  if (needed > now + kLongestQuiet) return false;
  // A sibling process may be asking.
  std::uint64_t until = seat_.board->quiet_until.load(std::memory_order_relaxed);
  if (until > now || !seat_.board->quiet_until.compare_exchange_strong(until, 0)) return false;
  clear_at_.store(clear, std::memory_order_relaxed);
  seat_.board->quiet_from.store(now, std::memory_order_relaxed);
  seat_.board->quiet_until.store(needed, std::memory_order_release);
  asked_at_.store(now, std::memory_order_release);
  return true;
}

// Until when a sibling of this launch, in this process or another one, has asked for quiet; 0: none has.
std::uint64_t Quiet::quiet_of_own(std::uint64_t now) const noexcept {
  const std::uint64_t until = seat_.board->quiet_until.load(std::memory_order_acquire);
  return until > now && until <= now + kLongestQuiet ? until : 0;
}

std::uint64_t Quiet::wait(const Kernel& kernel, std::uint64_t now, std::uint64_t queued, bool is_whole,
                          bool& asks, std::uint64_t& clean_until) noexcept {
  clean_until = UINT64_MAX;
  if (seat_.others == nullptr || !seat_.others->is_known()) return 0;
  if (seat_.board != nullptr) {
    const std::uint64_t own = asked_at_.load(std::memory_order_acquire);
    const std::uint64_t quiet = seat_.others->quiet_for_others(now, own, seat_.id, seat_.priority);
    if (quiet > now) {
      asks = false;
      release(now);
      return earlier(quiet, now + kLook);
    }
  }
  const Neighbours neighbours = who(now);
  if (neighbours == Neighbours::none) return 0;
  clean_until = 0;
  if (neighbours == Neighbours::important) {  // they keep quiet for nobody who is less important
    release(now);
    return 0;
  }
  const bool is_first = neighbours == Neighbours::lesser;
  if (is_first && is_whole) return 0;
  if (seat_.board == nullptr) return 0;
  if (!asks) {
    const std::uint64_t sibling = is_first ? 0 : quiet_of_own(now);
    if (sibling != 0) return earlier(sibling, now + kPoll);
    asks = wants(kernel, now) && ask(kernel, now, queued);
  }
  if (!asks) return 0;
  const std::uint64_t until = seat_.board->quiet_until.load(std::memory_order_relaxed);
  const std::uint64_t clear = clear_at_.load(std::memory_order_relaxed);
  if (now >= until) {
    release(now);
  } else if (now >= clear) {
    clean_until = until;
  } else if (!is_first) {
    return earlier(clear, now + kPoll);
  }
  return 0;
}

void Quiet::release(std::uint64_t now) noexcept {
  const std::uint64_t asked = asked_at_.exchange(0, std::memory_order_acq_rel);
  if (asked == 0) return;
  seat_.board->quiet_until.store(0, std::memory_order_release);
  released_at_.store(now, std::memory_order_relaxed);
  next_at_.store(now + kPause * (now - asked), std::memory_order_relaxed);
}

bool Quiet::was_clean(std::uint64_t clean_until, std::uint64_t ended, std::uint64_t now) noexcept {
  if (seat_.others == nullptr || !seat_.others->is_known()) return true;
  if (clean_until == UINT64_MAX) return who(now) == Neighbours::none;
  if (ended > clean_until || who(now) == Neighbours::important) return false;
  // Still the same quiet, or it was given back after that.
  return seat_.board->quiet_until.load(std::memory_order_relaxed) == clean_until ||
         ended <= released_at_.load(std::memory_order_relaxed);
}

void Quiet::tell_busy(std::uint64_t time, std::uint64_t now) noexcept {
  if (seat_.board == nullptr) return;
  // A sibling's later time stands; one that cannot be is a spoilt board.
  const std::uint64_t told = seat_.board->busy_until.load(std::memory_order_relaxed);
  if (told < time || told > now + kLongestDebt)
    seat_.board->busy_until.store(time, std::memory_order_relaxed);
}

void Quiet::clear() noexcept {
  asked_at_.store(0, std::memory_order_relaxed);
  next_at_.store(0, std::memory_order_relaxed);
}

}  // namespace hami::vgpu::share
