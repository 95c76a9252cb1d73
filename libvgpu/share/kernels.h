// What the kernels of this process cost: card time learned per function, grid and block.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/share/share.h"

namespace hami::vgpu::share {

// One kernel in one shape, or one executable graph. All members change without a lock: a lost update costs
// one sample.
struct Kernel {
  std::atomic<std::uint64_t> key;        // 0: free
  std::atomic<std::uint64_t> cost_ns;    // as learned; before the first sample an estimate
  std::atomic<std::uint32_t> samples;    // 0: never measured
  std::atomic<std::uint32_t> unsampled;  // launches that were charged the first estimate
  std::atomic<std::uint64_t> clean_at;   // when it was last measured with the card to itself; 0: never
  std::atomic<std::uint64_t> doubted;    // a sample that seemed too long, see Kernels::learn(); 0: none

  bool is_measured() const noexcept { return samples.load(std::memory_order_relaxed) != 0; }
  std::uint64_t cost() const noexcept { return cost_ns.load(std::memory_order_relaxed); }
};

// What a launch is known by. Never 0.
struct LaunchShape {
  const void* function = nullptr;
  std::uint64_t grid[3] = {1, 1, 1};
  std::uint64_t block[3] = {1, 1, 1};
};
inline std::uint64_t launch_key(const LaunchShape& shape) noexcept {
  // Four independent products, so that the processor makes them at once.
  const std::uint64_t hash = reinterpret_cast<std::uintptr_t>(shape.function) * 0x9e3779b97f4a7c15ULL +
                             (shape.grid[0] | shape.grid[1] << 32U) * 0xc2b2ae3d27d4eb4fULL +
                             (shape.grid[2] | shape.block[0] << 32U) * 0x165667b19e3779f9ULL +
                             (shape.block[1] | shape.block[2] << 32U) * 0xd6e8feb86659fd93ULL;
  return ((hash ^ hash >> 32U) * 0x9e3779b97f4a7c15ULL) | 1U;
}

// Who else had work on the card while a launch was measured: others; nobody, because they were asked for
// quiet; nobody at all.
enum class Seen : int { among_others, in_quiet, alone };

class Kernels {
 public:
  // The entry of a launch when it is where it usually is; null otherwise. Then find() tells.
  const Kernel* known(std::uint64_t key) const noexcept {
    const Kernel& first = table_[key >> kShift];
    return first.key.load(std::memory_order_relaxed) == key ? &first : nullptr;
  }

  // The entry of a launch, made when there is none. One hash and usually one comparison.
  Kernel& find(std::uint64_t key) noexcept {
    Kernel& first = table_[key >> kShift];
    if (first.key.load(std::memory_order_relaxed) == key) [[likely]]
      return first;
    return find_slow(key);
  }

  // A launch of `kernel` took `card_ns` from its begin to its end, at `now`. Returns by how much the launches
  // that were charged an estimate had been charged too little (or, when negative, too much).
  //
  // What was measured among others contains time of theirs: it says by how much they stretch the kernels
  // whose cost is known, and that much less is what an unknown one costs.
  //
  // Quiet may be broken, by a launch that was already on its way: then a sample is too long, never too short,
  // and samples in quiet are too rare to average that out. One that is much longer than the known cost counts
  // only when the next one is too, and one that is much shorter counts at once.
  std::int64_t learn(Kernel& kernel, std::uint64_t card_ns, Seen seen, std::uint64_t now) noexcept;

  // The handle may be used again for something else.
  void forget(std::uint64_t key) noexcept;

  // In the child of a fork: its handles are others.
  void clear() noexcept;

 private:
  static constexpr unsigned kBits = 12;
  static constexpr unsigned kShift = 64 - kBits;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr unsigned kProbes = 16;  // beyond them entries are shared: a program with too many shapes

  Kernel& find_slow(std::uint64_t key) noexcept;

  Kernel table_[kSlots] = {};
  bool is_doubtful(Kernel& kernel, std::uint64_t& card_ns) noexcept;
  std::int64_t learn_stretched(Kernel& kernel, std::uint64_t elapsed_ns) noexcept;
  std::int64_t take_over(Kernel& kernel, std::uint64_t before, std::uint64_t after) noexcept;

  std::atomic<std::uint64_t> mean_ns_{0};  // of what was measured: the first estimate of the next kernel
  std::atomic<std::uint64_t> stretch_{0};  // elapsed time per card time among others, in 1024ths; 0: unknown
};

// The first estimate of a process that has measured nothing yet.
inline constexpr std::uint64_t kFirstEstimate = 50 * kMicrosecond;

}  // namespace hami::vgpu::share
