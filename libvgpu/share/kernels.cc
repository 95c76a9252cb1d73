#include "libvgpu/share/kernels.h"

namespace hami::vgpu::share {
namespace {

// The first samples count much, later ones an eighth: data makes the same shape take different time.
std::uint64_t averaged(std::uint64_t known, std::uint64_t sample, std::uint32_t samples) noexcept {
  const std::uint64_t weight = samples < 7 ? samples + 1 : 8;
  // One sample that another stream or tenant got into must not spoil the figure.
  if (samples >= 4 && sample > 4 * known) sample = 4 * known;
  return known - known / weight + sample / weight;
}

constexpr std::uint64_t kTolerance =
    8;  // a sample in quiet may be longer or shorter by one part in this many

constexpr std::uint64_t kOne = 1024;  // of stretch_
constexpr std::uint64_t kMostStretch = 32 * kOne;

}  // namespace

Kernel& Kernels::find_slow(std::uint64_t key) noexcept {
  const std::uint64_t home = key >> kShift;
  for (unsigned i = 0; i < kProbes; ++i) {
    Kernel& kernel = table_[(home + i) % kSlots];
    std::uint64_t found = kernel.key.load(std::memory_order_acquire);
    if (found == key) return kernel;
    if (found != 0) continue;
    const std::uint64_t mean = mean_ns_.load(std::memory_order_relaxed);
    kernel.cost_ns.store(mean != 0 ? mean : kFirstEstimate, std::memory_order_relaxed);
    if (kernel.key.compare_exchange_strong(found, key, std::memory_order_acq_rel) || found == key)
      return kernel;
  }
  return table_[home];
}

std::int64_t Kernels::take_over(Kernel& kernel, std::uint64_t before, std::uint64_t after) noexcept {
  kernel.cost_ns.store(after, std::memory_order_relaxed);
  const std::uint64_t mean = mean_ns_.load(std::memory_order_relaxed);
  mean_ns_.store(mean == 0 ? after : mean - mean / 16 + after / 16, std::memory_order_relaxed);
  const std::uint32_t launches = kernel.unsampled.exchange(0, std::memory_order_relaxed);
  return (static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before)) *
         static_cast<std::int64_t>(launches);
}

std::int64_t Kernels::learn_stretched(Kernel& kernel, std::uint64_t elapsed_ns) noexcept {
  const std::uint64_t before = kernel.cost();
  const std::uint64_t stretch = stretch_.load(std::memory_order_relaxed);
  if (kernel.clean_at.load(std::memory_order_relaxed) == 0) {
    const std::uint64_t card_ns = stretch > kOne ? elapsed_ns * kOne / stretch : elapsed_ns;
    const std::uint32_t samples = kernel.samples.load(std::memory_order_relaxed);
    if (samples < 1000) kernel.samples.store(samples + 1, std::memory_order_relaxed);
    return take_over(kernel, before, samples == 0 ? card_ns : averaged(before, card_ns, samples));
  }
  std::uint64_t seen = before != 0 ? elapsed_ns * kOne / before : kOne;
  if (seen < kOne) seen = kOne;
  if (seen > kMostStretch) seen = kMostStretch;
  stretch_.store(stretch == 0 ? seen : stretch - stretch / 16 + seen / 16, std::memory_order_relaxed);
  return 0;
}

// Whether a sample in quiet is left for the next one to confirm. If that one does, the shorter of them
// counts.
bool Kernels::is_doubtful(Kernel& kernel, std::uint64_t& card_ns) noexcept {
  const std::uint64_t known = kernel.cost();
  if (card_ns <= known + known / kTolerance) {
    kernel.doubted.store(0, std::memory_order_relaxed);
    return false;
  }
  const std::uint64_t doubted = kernel.doubted.exchange(card_ns, std::memory_order_relaxed);
  if (doubted == 0) return true;
  if (doubted < card_ns) card_ns = doubted;
  return false;
}

std::int64_t Kernels::learn(Kernel& kernel, std::uint64_t card_ns, Seen seen, std::uint64_t now) noexcept {
  if (seen == Seen::among_others) return learn_stretched(kernel, card_ns);
  const std::uint64_t before = kernel.cost();
  const bool is_first = kernel.clean_at.exchange(now, std::memory_order_relaxed) == 0;
  std::uint32_t samples = is_first ? 0 : kernel.samples.load(std::memory_order_relaxed);
  const bool was_measured = kernel.is_measured();
  if (seen == Seen::in_quiet && samples != 0) {
    const bool is_shorter = card_ns + card_ns / kTolerance < before;
    const bool is_left = is_doubtful(kernel, card_ns);
    // Another sample is wanted soon.
    if ((is_shorter || is_left) && samples > 1) samples = 1;
    kernel.samples.store(samples, std::memory_order_relaxed);
    if (is_left) return 0;
  }
  if (samples < 1000) kernel.samples.store(samples + 1, std::memory_order_relaxed);
  std::uint64_t after = averaged(before, card_ns, samples);
  // Of the first two the shorter one: the neighbours may not have been as quiet as they said.
  if (samples == 0 || (samples == 1 && card_ns < before)) after = card_ns;
  const std::int64_t owed = take_over(kernel, before, after);
  return was_measured ? static_cast<std::int64_t>(card_ns) - static_cast<std::int64_t>(before) : owed;
}

void Kernels::forget(std::uint64_t key) noexcept {
  Kernel& kernel = find(key);
  // The slot stays taken: an empty one would cut the chain of those behind it.
  kernel.samples.store(0, std::memory_order_relaxed);
  kernel.unsampled.store(0, std::memory_order_relaxed);
  kernel.clean_at.store(0, std::memory_order_relaxed);
  kernel.doubted.store(0, std::memory_order_relaxed);
  const std::uint64_t mean = mean_ns_.load(std::memory_order_relaxed);
  kernel.cost_ns.store(mean != 0 ? mean : kFirstEstimate, std::memory_order_relaxed);
}

void Kernels::clear() noexcept {
  for (Kernel& kernel : table_) {
    if (kernel.key.load(std::memory_order_relaxed) == 0) continue;
    kernel.key.store(0, std::memory_order_relaxed);
    kernel.samples.store(0, std::memory_order_relaxed);
    kernel.unsampled.store(0, std::memory_order_relaxed);
    kernel.clean_at.store(0, std::memory_order_relaxed);
    kernel.doubted.store(0, std::memory_order_relaxed);
  }
}

}  // namespace hami::vgpu::share
