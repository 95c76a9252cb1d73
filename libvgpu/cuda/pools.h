// The stream-ordered pools of this process.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/core/records.h"
#include "libvgpu/cuda/store.h"
#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

struct Pool {
  std::atomic<CUmemoryPool> handle{nullptr};
  bool taken = false;       // with handle null: destroyed by the program, alive through its allocations
  bool is_charged = false;  // false: host memory or an import, whose bytes are not this container's card
  std::uint64_t live = 0;   // bytes of allocations that were not freed
  Store store;
};

class Pools {
 public:
  // The pool of `handle`, found or taken up. device: the container's index, -1 for memory that is not
  // charged. Null when this process has more pools than the table.
  Pool* find_or_add(CUmemoryPool handle, int device) noexcept;
  Pool* find(CUmemoryPool handle) noexcept;

  // False until this process uses a pool.
  bool any() const noexcept { return count_.load(std::memory_order_relaxed) != 0; }

  // What a record of Space::pooled says as its owner.
  unsigned number(const Pool& pool) const noexcept { return static_cast<unsigned>(&pool - pools_) + 1; }

  // The container's index of the device that an allocation lies on.
  unsigned device_of(const Record& record) const noexcept {
    return record.owner == 0 || record.owner > kPools ? 0 : pools_[record.owner - 1].store.device;
  }

  // An allocation is gone; gives back what a destroyed pool held with its last one.
  void freed(const Record& record) noexcept;

  // A name is taken away before the driver destroys the pool, because it may give it to the next one. Null:
  // unknown.
  Pool* begin_destroy(CUmemoryPool handle) noexcept;
  void end_destroy(Pool& pool) noexcept;
  void restore(Pool& pool, CUmemoryPool handle) noexcept { pool.handle.store(handle); }

  // Brings every charge on a device to what the driver reports now.
  void settle_all(unsigned device) noexcept;

  // Asks the driver to give unused stock of a device back, and settles. True when there was any pool.
  bool trim_all(unsigned device) noexcept;

  // In the child of a fork.
  void forget() noexcept;

 private:
  static constexpr unsigned kPools = 256;
  void drop(Pool& pool) noexcept;

  SpinLock adding_;
  std::atomic<unsigned> count_{0};
  Pool pools_[kPools];
  std::atomic<std::uint64_t> chunks_[abi::kMaxDevices] = {};
};

extern constinit Pools g_pools;

// What the driver says about a pool; all 0 when it says nothing.
Stock pool_stock(CUmemoryPool handle) noexcept;

}  // namespace hami::vgpu
