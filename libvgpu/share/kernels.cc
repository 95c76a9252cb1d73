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

std::int64_t Kernels::learn(Kernel& kernel, std::uint64_t card_ns) noexcept {
  const std::uint32_t samples = kernel.samples.load(std::memory_order_relaxed);
  const std::uint64_t before = kernel.cost();
  const std::uint64_t after = samples == 0 ? card_ns : averaged(before, card_ns, samples);
  kernel.cost_ns.store(after, std::memory_order_relaxed);
  if (samples < 1000) kernel.samples.store(samples + 1, std::memory_order_relaxed);
  const std::uint64_t mean = mean_ns_.load(std::memory_order_relaxed);
  mean_ns_.store(mean == 0 ? after : mean - mean / 16 + after / 16, std::memory_order_relaxed);
  if (samples != 0) return static_cast<std::int64_t>(card_ns) - static_cast<std::int64_t>(before);
  const std::uint32_t launches = kernel.unsampled.exchange(0, std::memory_order_relaxed);
  return (static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before)) *
         static_cast<std::int64_t>(launches);
}

void Kernels::forget(std::uint64_t key) noexcept {
  Kernel& kernel = find(key);
  // The slot stays taken: an empty one would cut the chain of those behind it.
  kernel.samples.store(0, std::memory_order_relaxed);
  kernel.unsampled.store(0, std::memory_order_relaxed);
  const std::uint64_t mean = mean_ns_.load(std::memory_order_relaxed);
  kernel.cost_ns.store(mean != 0 ? mean : kFirstEstimate, std::memory_order_relaxed);
}

void Kernels::clear() noexcept {
  for (Kernel& kernel : table_) {
    if (kernel.key.load(std::memory_order_relaxed) == 0) continue;
    kernel.key.store(0, std::memory_order_relaxed);
    kernel.samples.store(0, std::memory_order_relaxed);
    kernel.unsampled.store(0, std::memory_order_relaxed);
  }
}

}  // namespace hami::vgpu::share
