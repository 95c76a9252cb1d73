#include "libvgpu/core/blocks.h"

namespace hami::vgpu {

int Blocks::enter_one(std::uint64_t block) noexcept {
  Shard& shard = shard_of(block);
  const LockGuard guard(shard.lock);
  std::uint64_t* pieces = shard.pieces.at(block);
  if (pieces == nullptr) return -1;
  return ++*pieces == 1 ? 1 : 0;
}

int Blocks::leave_one(std::uint64_t block) noexcept {
  Shard& shard = shard_of(block);
  const LockGuard guard(shard.lock);
  std::uint64_t* pieces = shard.pieces.find(block);
  if (pieces == nullptr) return 0;
  if (--*pieces != 0) return 0;
  shard.pieces.erase(pieces);
  return 1;
}

int Blocks::enter(std::uint64_t address, std::uint64_t bytes) noexcept {
  const std::uint64_t first = address / kBlockBytes;
  const std::uint64_t last = (address + bytes - 1) / kBlockBytes;
  int fresh = 0;
  for (std::uint64_t block = first; block <= last; ++block) {
    const int taken = enter_one(block);
    if (taken < 0) {
      while (block-- > first) leave_one(block);
      return -1;
    }
    fresh += taken;
  }
  return fresh;
}

int Blocks::leave(std::uint64_t address, std::uint64_t bytes) noexcept {
  const std::uint64_t last = (address + bytes - 1) / kBlockBytes;
  int empty = 0;
  for (std::uint64_t block = address / kBlockBytes; block <= last; ++block) empty += leave_one(block);
  return empty;
}

void Blocks::forget() noexcept {
  for (Shard& shard : shards_) {
    shard.lock.reset();
    shard.pieces.clear();
  }
}

}  // namespace hami::vgpu
