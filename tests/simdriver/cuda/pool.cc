#include "tests/simdriver/cuda/pool.h"

#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kStep = 32 * kMiB;

SpinLock pools_lock;
Pool* pools = nullptr;
Pool* default_pools[kMaxDevices];
Pool* current_pools[kMaxDevices];

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

void remove_pool(Pool& pool) {
  trim(pool.memory, pool.device, 0);
  const SpinGuard guard(pools_lock);
  Pool** link = &pools;
  while (*link != nullptr && *link != &pool) link = &(*link)->next;
  if (*link != nullptr) *link = pool.next;
  free(&pool);
}

Pool* default_pool(CUdevice device) {
  Pool*& pool = default_pools[state_index(device)];
  if (pool == nullptr) {
    pool = make_pool({CU_MEM_LOCATION_TYPE_DEVICE, device}, 0);
    if (pool != nullptr) pool->is_default = true;
  }
  return pool;
}

Pool* current_pool(CUdevice device) {
  Pool* current = current_pools[state_index(device)];
  return current != nullptr ? current : default_pool(device);
}

CUresult allocate_from(Pool& pool, std::uint64_t size, CUdeviceptr& address) {
  const std::uint64_t granted = round_up(size, kSmallGranule);
  SIM_TRY(draw(pool.memory, pool.device, granted, kStep, pool.max_size));
  Allocation made = {};
  made.address = take_addresses(size);
  made.size = size;
  made.kind = Kind::pool;
  made.device = pool.device;
  made.owner = &pool;
  remember(made);
  address = made.address;
  return CUDA_SUCCESS;
}

// `handle` null: the current pool of the stream's device.
CUresult allocate_async(CUdeviceptr* out, std::size_t size, CUmemoryPool handle, CUstream stream_handle,
                        Door door) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  if (size == 0) return CUDA_ERROR_INVALID_VALUE;
  if (stream->invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (stream->graph != nullptr) return capture_allocation(*stream, size, *out);
  Pool* pool = handle != nullptr ? find_pool(handle) : current_pool(stream->context->ordinal);
  if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (pool->imported) return CUDA_ERROR_INVALID_VALUE;
  return allocate_from(*pool, size, *out);
}

CUresult free_async(CUdeviceptr address, CUstream stream_handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  if (address == 0) return CUDA_ERROR_INVALID_VALUE;
  if (stream->graph != nullptr) return capture_free(*stream, address);
  Allocation allocation;
  if (!forget(address, bit(Kind::pool) | bit(Kind::graph), allocation)) return CUDA_ERROR_INVALID_VALUE;
  free_from_pool(allocation);
  return CUDA_SUCCESS;
}

CUresult create(CUmemoryPool* out, const CUmemPoolProps* props) {
  if (out == nullptr || props == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_INVALID_VALUE;
  const bool on_device = props->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
  if (on_device && !is_device(props->location.id)) return CUDA_ERROR_INVALID_DEVICE;
  if (props->location.type == CU_MEM_LOCATION_TYPE_INVALID) return CUDA_ERROR_INVALID_VALUE;
  Pool* pool = make_pool(props->location, round_up(props->maxSize, kBlock));
  if (pool == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *out = handle_of(pool);
  return CUDA_SUCCESS;
}

CUresult destroy(CUmemoryPool handle) {
  Pool* pool = find_pool(handle);
  if (pool == nullptr || pool->is_default) return CUDA_ERROR_INVALID_VALUE;
  for (Pool*& current : current_pools) {
    if (current == pool) current = nullptr;
  }
  pool->destroyed = true;
  if (pool->memory.used == 0) remove_pool(*pool);
  return CUDA_SUCCESS;
}

CUresult get_attribute(const Pool& pool, CUmemPool_attribute attribute, void* value) {
  auto& wide = *static_cast<std::uint64_t*>(value);
  switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      *static_cast<int*>(value) = pool.reuse[attribute];
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      wide = pool.threshold;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
      wide = pool.memory.reserved;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      wide = pool.memory.reserved_high;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
      wide = pool.memory.used;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      wide = pool.memory.used_high;
      return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

// A high-water mark can only be set to 0, which means the current value.
CUresult reset_high(std::uint64_t value, std::uint64_t current, std::uint64_t& high) {
  if (value != 0) return CUDA_ERROR_INVALID_VALUE;
  high = current;
  return CUDA_SUCCESS;
}

CUresult set_attribute(Pool& pool, CUmemPool_attribute attribute, const void* value) {
  const auto wide = [&] { return *static_cast<const std::uint64_t*>(value); };
  switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      pool.reuse[attribute] = *static_cast<const int*>(value);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      pool.threshold = wide();
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      return reset_high(wide(), pool.memory.reserved, pool.memory.reserved_high);
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      return reset_high(wide(), pool.memory.used, pool.memory.used_high);
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult pool_at(const CUmemLocation* location, CUmemAllocationType type, CUdevice& out) {
  if (location == nullptr || type != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_INVALID_VALUE;
  if (location->type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
  if (!is_device(location->id)) return CUDA_ERROR_INVALID_DEVICE;
  out = location->id;
  return CUDA_SUCCESS;
}

CUresult set_current_pool(CUdevice device, CUmemoryPool handle) {
  Pool* pool = find_pool(handle);
  if (pool == nullptr || pool->device != state_index(device)) return CUDA_ERROR_INVALID_VALUE;
  current_pools[state_index(device)] = pool;
  return CUDA_SUCCESS;
}

}  // namespace

Pool* find_pool(CUmemoryPool handle) {
  const SpinGuard guard(pools_lock);
  for (Pool* at = pools; at != nullptr; at = at->next) {
    if (reinterpret_cast<CUmemoryPool>(at) == handle && !at->destroyed) return at;
  }
  return nullptr;
}

CUmemoryPool handle_of(Pool* pool) { return reinterpret_cast<CUmemoryPool>(pool); }

Pool* make_pool(CUmemLocation location, std::uint64_t max_size) {
  auto* pool = static_cast<Pool*>(calloc(1, sizeof(Pool)));
  if (pool == nullptr) return nullptr;
  pool->location = location;
  pool->device = location.type == CU_MEM_LOCATION_TYPE_DEVICE ? state_index(location.id) : kNoDevice;
  pool->max_size = max_size;
  for (int& flag : pool->reuse) flag = 1;
  const SpinGuard guard(pools_lock);
  pool->next = pools;
  pools = pool;
  return pool;
}

void free_from_pool(const Allocation& allocation) {
  free(allocation.backing);
  if (allocation.kind == Kind::graph) {
    free_graph_memory(allocation.device, allocation.size);  // the address belongs to the node
    return;
  }
  give_addresses(allocation.address, allocation.size);
  auto* pool = static_cast<Pool*>(allocation.owner);
  if (allocation.token != 0) {
    const Guard guard(state());
    if (pool == nullptr) unuse(state(), allocation.token, slot());
    if (pool != nullptr) retract(state(), allocation.token);
  }
  if (pool == nullptr) return;  // imported
  put_back(pool->memory, round_up(allocation.size, kSmallGranule));
  if (pool->destroyed && pool->memory.used == 0) remove_pool(*pool);
}

void trim_pools(std::uint32_t device) {
  const SpinGuard guard(pools_lock);
  for (Pool* at = pools; at != nullptr; at = at->next) {
    if (at->device == device) trim(at->memory, device, at->threshold);
  }
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

SIM_BOTH(cuMemAllocAsync, cuMemAllocAsync_ptsz, (CUdeviceptr * ptr, std::size_t bytes, CUstream stream),
         allocate_async(ptr, bytes, nullptr, stream, door))
SIM_BOTH(cuMemAllocFromPoolAsync, cuMemAllocFromPoolAsync_ptsz,
         (CUdeviceptr * ptr, std::size_t bytes, CUmemoryPool pool, CUstream stream),
         pool == nullptr ? CUDA_ERROR_INVALID_VALUE : allocate_async(ptr, bytes, pool, stream, door))
SIM_BOTH(cuMemFreeAsync, cuMemFreeAsync_ptsz, (CUdeviceptr ptr, CUstream stream),
         free_async(ptr, stream, door))

CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* props) {
  SIM_ENTER(cuMemPoolCreate);
  return create(pool, props);
}

CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  SIM_ENTER(cuMemPoolDestroy);
  return destroy(pool);
}

CUresult cuMemPoolTrimTo(CUmemoryPool handle, std::size_t keep) {
  SIM_ENTER(cuMemPoolTrimTo);
  auto* pool = find_pool(handle);
  if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
  trim(pool->memory, pool->device, keep);
  return CUDA_SUCCESS;
}

CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  SIM_ENTER(cuMemPoolGetAttribute);
  const auto* pool = find_pool(handle);
  if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return get_attribute(*pool, attribute, value);
}

CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  SIM_ENTER(cuMemPoolSetAttribute);
  auto* pool = find_pool(handle);
  if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_attribute(*pool, attribute, value);
}

CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc*, std::size_t) {
  SIM_ENTER(cuMemPoolSetAccess);
  return find_pool(pool) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool pool, CUmemLocation*) {
  SIM_ENTER(cuMemPoolGetAccess);
  if (flags == nullptr || find_pool(pool) == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = static_cast<CUmemAccess_flags>(3);  // read and write
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* out, CUdevice dev) {
  SIM_ENTER(cuDeviceGetDefaultMemPool);
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  *out = handle_of(default_pool(dev));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetMemPool(CUmemoryPool* out, CUdevice dev) {
  SIM_ENTER(cuDeviceGetMemPool);
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  *out = handle_of(current_pool(dev));
  return CUDA_SUCCESS;
}

CUresult cuDeviceSetMemPool(CUdevice dev, CUmemoryPool pool) {
  SIM_ENTER(cuDeviceSetMemPool);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return set_current_pool(dev, pool);
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
  SIM_ENTER(cuMemGetDefaultMemPool);
  CUdevice device = 0;
  SIM_TRY(pool_at(location, type, device));
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = handle_of(default_pool(device));
  return CUDA_SUCCESS;
}

CUresult cuMemGetMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
  SIM_ENTER(cuMemGetMemPool);
  CUdevice device = 0;
  SIM_TRY(pool_at(location, type, device));
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = handle_of(current_pool(device));
  return CUDA_SUCCESS;
}

CUresult cuMemSetMemPool(CUmemLocation* location, CUmemAllocationType type, CUmemoryPool pool) {
  SIM_ENTER(cuMemSetMemPool);
  CUdevice device = 0;
  SIM_TRY(pool_at(location, type, device));
  return set_current_pool(device, pool);
}
}
