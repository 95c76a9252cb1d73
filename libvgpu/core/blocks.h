// The blocks of 2 MiB that small allocations share. The driver takes whole blocks from the card and hands out
// pieces of them; which block a piece lies in, its address tells.
#pragma once

#include <cstdint>

#include "libvgpu/core/lock.h"
#include "libvgpu/core/word_map.h"

namespace hami::vgpu {

inline constexpr std::uint64_t kBlockBytes = std::uint64_t{2} << 20U;

class Blocks {
 public:
  // A piece was handed out. Returns how many of its blocks hold nothing else: they were taken for it. -1 when
  // there is no memory to remember it; then nothing changed.
  int enter(std::uint64_t address, std::uint64_t bytes) noexcept;

  // A piece went back. Returns how many blocks went with it.
  int leave(std::uint64_t address, std::uint64_t bytes) noexcept;

  // In the child of a fork: the blocks are the parent's.
  void forget() noexcept;

 private:
  static constexpr unsigned kShards = 16;
  // Pieces in each block, by the block's number.
  struct alignas(64) Shard {
    SpinLock lock;
    WordMap pieces;
  };

  Shard& shard_of(std::uint64_t block) noexcept { return shards_[block % kShards]; }
  int enter_one(std::uint64_t block) noexcept;
  int leave_one(std::uint64_t block) noexcept;

  Shard shards_[kShards] = {};
};

}  // namespace hami::vgpu
