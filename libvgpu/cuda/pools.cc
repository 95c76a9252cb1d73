#include "libvgpu/cuda/pools.h"

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/driver.h"

namespace hami::vgpu {

constinit Pools g_pools;

Stock pool_stock(CUmemoryPool handle) noexcept {
  Stock stock;
  if (driver<&CudaDriver::cuMemPoolGetAttribute>(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT,
                                                 static_cast<void*>(&stock.reserved)) != CUDA_SUCCESS) {
    return {};
  }
  driver<&CudaDriver::cuMemPoolGetAttribute>(handle, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
                                             static_cast<void*>(&stock.used));
  return stock;
}

Pool* Pools::find(CUmemoryPool handle) noexcept {
  const unsigned count = count_.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    if (pools_[i].handle.load(std::memory_order_acquire) == handle) return &pools_[i];
  }
  return nullptr;
}

Pool* Pools::find_or_add(CUmemoryPool handle, int device) noexcept {
  if (Pool* known = find(handle)) return known;
  const LockGuard guard(adding_);
  if (Pool* known = find(handle)) return known;
  for (unsigned i = 0; i < kPools; ++i) {
    Pool& pool = pools_[i];
    if (pool.taken) continue;
    pool.taken = true;
    pool.is_charged = device >= 0;
    pool.live = 0;
    pool.store.device = device >= 0 ? static_cast<unsigned>(device) : 0;
    pool.store.charged = 0;
    pool.store.chunk = &chunks_[pool.store.device];
    pool.handle.store(handle, std::memory_order_release);
    if (i >= count_.load(std::memory_order_relaxed)) count_.store(i + 1, std::memory_order_release);
    return &pool;
  }
  return nullptr;
}

void Pools::drop(Pool& pool) noexcept {
  if (pool.store.charged != 0) g_process.account.refund(pool.store.device, pool.store.charged);
  pool.store.charged = 0;
  const LockGuard guard(adding_);
  pool.taken = false;
}

void Pools::freed(const Record& record) noexcept {
  if (record.owner == 0 || record.owner > kPools) return;
  Pool& pool = pools_[record.owner - 1];
  const LockGuard guard(pool.store.lock);
  pool.live -= record.bytes < pool.live ? record.bytes : pool.live;
  if (pool.live == 0 && pool.taken && pool.handle.load(std::memory_order_relaxed) == nullptr) drop(pool);
}

Pool* Pools::begin_destroy(CUmemoryPool handle) noexcept {
  Pool* pool = handle != nullptr ? find(handle) : nullptr;
  if (pool != nullptr) pool->handle.store(nullptr, std::memory_order_release);
  return pool;
}

// Without outstanding allocations the memory is back at once, else with the last of them.
void Pools::end_destroy(Pool& pool) noexcept {
  const LockGuard guard(pool.store.lock);
  if (pool.live == 0 && pool.taken) drop(pool);
}

void Pools::settle_all(unsigned device) noexcept {
  const unsigned count = count_.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    Pool& pool = pools_[i];
    CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
    if (handle == nullptr || !pool.is_charged || pool.store.device != device) continue;
    if (!pool.store.lock.try_lock()) continue;  // in the middle of a request, which settles itself
    if (pool.handle.load(std::memory_order_acquire) == handle) settle(pool.store, pool_stock(handle));
    pool.store.lock.unlock();
  }
}

bool Pools::trim_all(unsigned device) noexcept {
  const unsigned count = count_.load(std::memory_order_acquire);
  if (count == 0) return false;
  // A capture that another thread has under way must not see this call as its own.
  CUstreamCaptureMode capture_mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  driver<&CudaDriver::cuThreadExchangeStreamCaptureMode>(&capture_mode);
  for (unsigned i = 0; i < count; ++i) {
    Pool& pool = pools_[i];
    CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
    if (handle != nullptr && pool.is_charged && pool.store.device == device) {
      driver<&CudaDriver::cuMemPoolTrimTo>(handle, std::size_t{0});
    }
  }
  driver<&CudaDriver::cuThreadExchangeStreamCaptureMode>(&capture_mode);
  settle_all(device);
  return true;
}

void Pools::forget() noexcept {
  adding_.reset();
  for (Pool& pool : pools_) {
    pool.store.lock.reset();
    if (!pool.taken) continue;
    pool.handle.store(nullptr);
    pool.taken = false;
    pool.store.charged = 0;
  }
  count_.store(0);
}

}  // namespace hami::vgpu
