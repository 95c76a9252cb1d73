// Stream-ordered allocation. A request is served from a pool; what is charged is the pool. The functions with
// _ptsz are those of the per-thread default stream.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/graph_memory.h"
#include "libvgpu/cuda/pools.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// The two families of functions that take a stream.
struct Legacy {
  static constexpr auto kIsCapturing = &CudaDriver::cuStreamIsCapturing;
  static constexpr auto kContext = &CudaDriver::cuStreamGetCtx;
  static constexpr auto kFree = &CudaDriver::cuMemFreeAsync;
  static constexpr auto kSynchronize = &CudaDriver::cuStreamSynchronize;
};
struct PerThread {
  static constexpr auto kIsCapturing = &CudaDriver::cuStreamIsCapturing_ptsz;
  static constexpr auto kContext = &CudaDriver::cuStreamGetCtx_ptsz;
  static constexpr auto kFree = &CudaDriver::cuMemFreeAsync_ptsz;
  static constexpr auto kSynchronize = &CudaDriver::cuStreamSynchronize_ptsz;
};

template <typename Family>
bool is_capturing(CUstream stream) noexcept {
  CUstreamCaptureStatus capture = CU_STREAM_CAPTURE_STATUS_NONE;
  return driver<Family::kIsCapturing>(stream, &capture) == CUDA_SUCCESS &&
         capture != CU_STREAM_CAPTURE_STATUS_NONE;
}

// The device that a stream belongs to: of the current context for the default streams, of its own for others.
template <typename Family>
CUresult ordinal_of(CUstream stream, CUdevice& ordinal) noexcept {
  CUcontext own = nullptr;
  CUcontext current = nullptr;
  driver<&CudaDriver::cuCtxGetCurrent>(&current);
  const bool is_elsewhere = reinterpret_cast<std::uintptr_t>(stream) > kPerThreadStream &&
                            driver<Family::kContext>(stream, &own) == CUDA_SUCCESS && own != current;
  if (!is_elsewhere) return driver<&CudaDriver::cuCtxGetDevice>(&ordinal);
  CUresult status = driver<&CudaDriver::cuCtxPushCurrent_v2>(own);
  if (status != CUDA_SUCCESS) return status;
  status = driver<&CudaDriver::cuCtxGetDevice>(&ordinal);
  driver<&CudaDriver::cuCtxPopCurrent_v2>(&own);
  return status;
}

bool remember(Pool& pool, CUdeviceptr ptr, std::uint64_t bytes) noexcept {
  const Record record = {.bytes = granule(bytes), .device = pool.store.device, .owner = g_pools.number(pool)};
  const Records::Inserted added = g_process.records.insert(Space::pooled, ptr, record);
  if (!added.stored) return false;
  pool.live += record.bytes;
  if (added.stale) pool.live -= added.stale->bytes < pool.live ? added.stale->bytes : pool.live;
  return true;
}

// One attempt, with the pool locked. CUDA_ERROR_OUT_OF_MEMORY also when the pool grew by more than there is
// room for. `is_over`: the limit refused it, not the card.
template <typename Family, typename Call>
CUresult try_pool(Pool& pool, CUdeviceptr* out, std::uint64_t bytes, CUstream stream, Call call,
                  bool& is_over) noexcept {
  CUmemoryPool handle = pool.handle.load(std::memory_order_acquire);
  const Stock before = pool_stock(handle);
  settle(pool.store, before);
  Reservation reservation = reserve_growth(pool.store, missing_bytes(pool.store, before, bytes));
  is_over = reservation.verdict() == Verdict::refused;
  if (!reservation) return refusal(reservation);
  const CUresult status = call();
  if (status != CUDA_SUCCESS) return status;
  if (settle_growth(pool.store, pool_stock(handle), reservation) && remember(pool, *out, bytes))
    return CUDA_SUCCESS;
  is_over = true;
  driver<Family::kFree>(*out, stream);
  driver<Family::kSynchronize>(stream);
  driver<&CudaDriver::cuMemPoolTrimTo>(handle, std::size_t{0});
  settle(pool.store, pool_stock(handle));
  *out = 0;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

template <typename Family, typename Call>
CUresult allocate_from(Pool* pool, CUdeviceptr* out, std::uint64_t bytes, CUstream stream,
                       Call call) noexcept {
  if (pool == nullptr) return kUnusable;
  if (!pool->is_charged) return call();
  bool is_over = false;
  const unsigned device = pool->store.device;
  const auto attempt = [&] {
    const LockGuard guard(pool->store.lock);
    return try_pool<Family>(*pool, out, bytes, stream, call, is_over);
  };
  CUresult status = attempt();
  // What was freed on a stream may still be in stock, or not free yet.
  if (status != CUDA_ERROR_OUT_OF_MEMORY || bytes > limit_of(device)) {
    if (is_over) over_the_limit(device, bytes, limit_of(device));
    return status;
  }
  driver<Family::kSynchronize>(stream);
  g_pools.trim_all(device);
  status = with_room(device, attempt, is_over);
  if (is_over && status == CUDA_ERROR_OUT_OF_MEMORY) over_the_limit(device, bytes, limit_of(device));
  return status;
}

// Decides about a request on `stream`. `pool_of(device, ordinal)` finds the pool.
template <typename Family, typename Call, typename PoolOf>
CUresult allocate_on(CUdeviceptr* out, std::uint64_t bytes, CUstream stream, Call call,
                     PoolOf pool_of) noexcept {
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  if (out == nullptr) return call();
  if (is_capturing<Family>(stream)) {
    g_graph_memory.expect();  // becomes a node: memory is taken when the graph is launched
    return call();
  }
  CUdevice ordinal = 0;
  if (ordinal_of<Family>(stream, ordinal) != CUDA_SUCCESS) return call();
  return allocate_from<Family>(pool_of(ordinal), out, bytes, stream, call);
}

// The pool that cuMemAllocAsync uses.
Pool* current_pool(CUdevice ordinal) noexcept {
  CUmemoryPool handle = nullptr;
  const int device = device_index(ordinal);
  if (device < 0 || driver<&CudaDriver::cuDeviceGetMemPool>(&handle, ordinal) != CUDA_SUCCESS) return nullptr;
  return g_pools.find_or_add(handle, device);
}

// A pool that the program names: made by it, a device's default pool, or one that we never saw being made.
Pool* named_pool(CUmemoryPool handle, CUdevice stream_ordinal) noexcept {
  if (Pool* known = g_pools.find(handle)) return known;
  int count = 0;
  driver<&CudaDriver::cuDeviceGetCount>(&count);
  for (CUdevice ordinal = 0; ordinal < count; ++ordinal) {
    CUmemoryPool of_device = nullptr;
    driver<&CudaDriver::cuDeviceGetDefaultMemPool>(&of_device, ordinal);
    if (of_device == handle) return g_pools.find_or_add(handle, device_index(ordinal));
  }
  return g_pools.find_or_add(handle, device_index(stream_ordinal));
}

// Frees stream-ordered memory; other pointers are the driver's to judge.
template <typename Call>
CUresult free_pooled(CUdeviceptr ptr, Call call) noexcept {
  if (mode() != Mode::on) return call();
  const std::optional<Record> record = g_process.records.take(Space::pooled, ptr);
  if (!record) return free_joint(ptr, call);
  const CUresult status = call();
  if (status == CUDA_SUCCESS) {
    retract_told(ptr);
    g_pools.freed(*record);
  } else {
    g_process.records.insert(Space::pooled, ptr, *record);
  }
  return status;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuMemAllocAsync(CUdeviceptr* ptr, std::size_t bytes, CUstream stream) {
  return allocate_on<Legacy>(
      ptr, bytes, stream, [=] { return driver<&CudaDriver::cuMemAllocAsync>(ptr, bytes, stream); },
      current_pool);
}

HAMI_EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr* ptr, std::size_t bytes, CUstream stream) {
  return allocate_on<PerThread>(
      ptr, bytes, stream, [=] { return driver<&CudaDriver::cuMemAllocAsync_ptsz>(ptr, bytes, stream); },
      current_pool);
}

HAMI_EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr* ptr, std::size_t bytes, CUmemoryPool pool,
                                             CUstream stream) {
  return allocate_on<Legacy>(
      ptr, bytes, stream,
      [=] { return driver<&CudaDriver::cuMemAllocFromPoolAsync>(ptr, bytes, pool, stream); },
      [=](CUdevice ordinal) { return named_pool(pool, ordinal); });
}

HAMI_EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr* ptr, std::size_t bytes, CUmemoryPool pool,
                                                  CUstream stream) {
  return allocate_on<PerThread>(
      ptr, bytes, stream,
      [=] { return driver<&CudaDriver::cuMemAllocFromPoolAsync_ptsz>(ptr, bytes, pool, stream); },
      [=](CUdevice ordinal) { return named_pool(pool, ordinal); });
}

HAMI_EXPORT CUresult cuMemFreeAsync(CUdeviceptr ptr, CUstream stream) {
  return free_pooled(ptr, [=] { return driver<&CudaDriver::cuMemFreeAsync>(ptr, stream); });
}

HAMI_EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr ptr, CUstream stream) {
  return free_pooled(ptr, [=] { return driver<&CudaDriver::cuMemFreeAsync_ptsz>(ptr, stream); });
}

HAMI_EXPORT CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* pool_props) {
  const auto call = [=] { return driver<&CudaDriver::cuMemPoolCreate>(pool, pool_props); };
  if (mode() == Mode::unusable) return kUnusable;
  if (mode() == Mode::off || pool == nullptr || pool_props == nullptr) return call();
  const bool on_device = pool_props->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
  const int device = on_device ? device_index(pool_props->location.id) : -1;
  const CUresult status = call();
  if (status != CUDA_SUCCESS || (device >= 0) == on_device) {
    if (status == CUDA_SUCCESS) g_pools.find_or_add(*pool, device);
    return status;
  }
  driver<&CudaDriver::cuMemPoolDestroy>(*pool);  // a device that the container was not given
  return kUnusable;
}

HAMI_EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  Pool* known = mode() == Mode::on ? g_pools.begin_destroy(pool) : nullptr;
  const CUresult status = driver<&CudaDriver::cuMemPoolDestroy>(pool);
  if (known == nullptr) return status;
  if (status == CUDA_SUCCESS) {
    g_pools.end_destroy(*known);
  } else {
    g_pools.restore(*known, pool);
  }
  return status;
}

HAMI_EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t min_bytes_to_keep) {
  const CUresult status = driver<&CudaDriver::cuMemPoolTrimTo>(pool, min_bytes_to_keep);
  Pool* known = status == CUDA_SUCCESS && mode() == Mode::on ? g_pools.find(pool) : nullptr;
  if (known != nullptr && known->is_charged) g_pools.settle_all(known->store.device);
  return status;
}
