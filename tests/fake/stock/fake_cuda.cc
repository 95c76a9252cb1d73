#include "tests/fake/stock/fake_cuda.h"

#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "libvgpu/cuda/types.h"

namespace {

std::mutex lock;
FakeCard card = {0, 0, std::uint64_t{32} << 20U, 0, 0};

constexpr std::uint64_t kBlock = std::uint64_t{2} << 20U;
std::uint64_t blocks(std::uint64_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

void take(std::uint64_t bytes) {
  card.used += bytes;
  if (card.used > card.peak) card.peak = card.used;
}

struct Stock {
  std::uint64_t reserved = 0;
  std::uint64_t used = 0;
  void grow(std::uint64_t bytes) {
    used += bytes;
    if (used <= reserved) return;
    const std::uint64_t growth = (used - reserved + card.chunk - 1) / card.chunk * card.chunk;
    take(growth);
    reserved += growth;
  }
  void shrink_to(std::uint64_t keep) {
    const std::uint64_t left = keep > used ? keep : used;
    if (left >= reserved) return;
    card.used -= reserved - left;
    reserved = left;
  }
};

struct PoolState {
  Stock stock;
  bool is_host = false;
};
struct Block {
  std::uint64_t bytes;
  PoolState* pool;  // null: linear
};
struct Piece {
  std::uint64_t bytes;
  int references;
  int mappings;
};
struct ArrayState {
  std::uint64_t bytes;
};

PoolState default_pool;
PoolState* current_pool = &default_pool;
Stock graph_stock;
std::map<CUdeviceptr, Block> allocations;
std::map<std::uint64_t, Piece> pieces;
std::map<CUdeviceptr, std::uint64_t> mappings;
std::uint64_t next_name = 0x7000'0000'0000;
std::uint64_t graph_bytes = 0;

std::uint64_t new_name(std::uint64_t bytes) {
  const std::uint64_t name = next_name;
  next_name += blocks(bytes) + kBlock;
  return name;
}

PoolState* state_of(CUmemoryPool pool) { return reinterpret_cast<PoolState*>(pool); }
CUmemoryPool handle_of(PoolState* pool) { return reinterpret_cast<CUmemoryPool>(pool); }

void drop_if_dead(std::uint64_t handle) {
  const Piece& piece = pieces[handle];
  if (piece.references != 0 || piece.mappings != 0) return;
  card.used -= piece.bytes;
  pieces.erase(handle);
}

CUresult allocate_from(PoolState* pool, CUdeviceptr* ptr, std::size_t bytes) {
  const std::lock_guard guard(lock);
  *ptr = new_name(bytes);
  if (card.capturing != 0) {
    graph_bytes += blocks(bytes);
    return CUDA_SUCCESS;
  }
  if (!pool->is_host) pool->stock.grow(bytes);
  allocations[*ptr] = {bytes, pool};
  return CUDA_SUCCESS;
}

CUresult free_any(CUdeviceptr ptr, bool is_async) {
  const std::lock_guard guard(lock);
  const auto found = allocations.find(ptr);
  if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  const Block block = found->second;
  allocations.erase(found);
  if (block.pool == nullptr) {
    card.used -= blocks(block.bytes);
  } else if (!block.pool->is_host) {
    block.pool->stock.used -= block.bytes;
    if (!is_async) block.pool->stock.shrink_to(0);
  }
  return CUDA_SUCCESS;
}

CUresult refused() {
  if (card.refuse == 0) return CUDA_SUCCESS;
  card.refuse = 0;
  return CUDA_ERROR_INVALID_VALUE;
}

}  // namespace

#define FAKE extern "C" __attribute__((visibility("default")))

FAKE FakeCard* fake_card() { return &card; }

FAKE CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
FAKE CUresult cuDeviceGetCount(int* count) {
  *count = 1;
  return CUDA_SUCCESS;
}
FAKE CUresult cuCtxGetDevice(CUdevice* device) {
  *device = 0;
  return CUDA_SUCCESS;
}
FAKE CUresult cuCtxGetCurrent(CUcontext* context) {
  *context = nullptr;
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *total = std::size_t{64} << 30U;
  *free = *total - card.used;
  return CUDA_SUCCESS;
}

FAKE CUresult cuMemAlloc_v2(CUdeviceptr* ptr, std::size_t bytes) {
  const std::lock_guard guard(lock);
  *ptr = new_name(bytes);
  take(blocks(bytes));
  allocations[*ptr] = {bytes, nullptr};
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemFree_v2(CUdeviceptr ptr) { return free_any(ptr, false); }

FAKE CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus* status) {
  *status = card.capturing != 0 ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}
FAKE CUresult cuStreamSynchronize(CUstream) {
  const std::lock_guard guard(lock);
  default_pool.stock.shrink_to(0);
  return CUDA_SUCCESS;
}
FAKE CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice) {
  *pool = handle_of(current_pool);
  return CUDA_SUCCESS;
}
FAKE CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice) {
  *pool = handle_of(&default_pool);
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* props) {
  static std::deque<PoolState> pools;  // they stay to the end
  PoolState* made = &pools.emplace_back();
  made->is_host = props->location.type != CU_MEM_LOCATION_TYPE_DEVICE;
  *pool = handle_of(made);
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  const std::lock_guard guard(lock);
  state_of(pool)->stock.shrink_to(0);  // the state itself stays for allocations that are left
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t keep) {
  const std::lock_guard guard(lock);
  state_of(pool)->stock.shrink_to(keep);
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void* value) {
  const std::lock_guard guard(lock);
  const Stock& stock = state_of(pool)->stock;
  const std::uint64_t answer =
      attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT ? stock.reserved : stock.used;
  std::memcpy(value, &answer, sizeof answer);
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemAllocAsync(CUdeviceptr* ptr, std::size_t bytes, CUstream) {
  return allocate_from(current_pool, ptr, bytes);
}
FAKE CUresult cuMemAllocFromPoolAsync(CUdeviceptr* ptr, std::size_t bytes, CUmemoryPool pool, CUstream) {
  return allocate_from(state_of(pool), ptr, bytes);
}
FAKE CUresult cuMemFreeAsync(CUdeviceptr ptr, CUstream) { return free_any(ptr, true); }

FAKE CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t size,
                          const CUmemAllocationProp* prop, std::uint64_t) {
  const std::lock_guard guard(lock);
  const bool on_card = prop->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
  *handle = new_name(size);
  if (on_card) take(size);
  pieces[*handle] = {on_card ? size : 0, 1, 0};
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  const std::lock_guard guard(lock);
  if (refused() != CUDA_SUCCESS || !pieces.contains(handle)) return CUDA_ERROR_INVALID_VALUE;
  --pieces[handle].references;
  drop_if_dead(handle);
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemMap(CUdeviceptr ptr, std::size_t, std::size_t, CUmemGenericAllocationHandle handle,
                       std::uint64_t) {
  const std::lock_guard guard(lock);
  mappings[ptr] = handle;
  ++pieces[handle].mappings;
  return CUDA_SUCCESS;
}
FAKE CUresult cuMemUnmap(CUdeviceptr ptr, std::size_t size) {
  const std::lock_guard guard(lock);
  if (refused() != CUDA_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
  for (auto at = mappings.lower_bound(ptr); at != mappings.end() && at->first < ptr + size;) {
    const std::uint64_t handle = at->second;
    at = mappings.erase(at);
    --pieces[handle].mappings;
    drop_if_dead(handle);
  }
  return CUDA_SUCCESS;
}

FAKE CUresult cuArrayCreate_v2(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR* descriptor) {
  const std::lock_guard guard(lock);
  const std::uint64_t bytes = descriptor->Width * descriptor->Height * 4 * descriptor->NumChannels * 5 / 4;
  take(bytes);
  *handle = reinterpret_cast<CUarray>(new ArrayState{bytes});
  return CUDA_SUCCESS;
}
FAKE CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* needs, CUarray array, CUdevice) {
  needs->size = reinterpret_cast<ArrayState*>(array)->bytes;
  return CUDA_SUCCESS;
}
FAKE CUresult cuArrayDestroy(CUarray array) {
  const std::lock_guard guard(lock);
  card.used -= reinterpret_cast<ArrayState*>(array)->bytes;
  delete reinterpret_cast<ArrayState*>(array);
  return CUDA_SUCCESS;
}

// One graph, whose nodes are the allocations captured so far.
FAKE CUresult cuGraphGetNodes(CUgraph, CUgraphNode* nodes, std::size_t* count) {
  if (nodes != nullptr) nodes[0] = reinterpret_cast<CUgraphNode>(&graph_bytes);
  *count = 1;
  return CUDA_SUCCESS;
}
FAKE CUresult cuGraphNodeGetType(CUgraphNode, CUgraphNodeType* type) {
  *type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  return CUDA_SUCCESS;
}
FAKE CUresult cuGraphMemAllocNodeGetParams(CUgraphNode, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  params->poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  params->bytesize = graph_bytes;
  return CUDA_SUCCESS;
}
FAKE CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph, std::uint64_t) {
  *exec = reinterpret_cast<CUgraphExec>(&graph_stock);
  return CUDA_SUCCESS;
}
FAKE CUresult cuGraphExecDestroy(CUgraphExec) { return CUDA_SUCCESS; }
FAKE CUresult cuGraphLaunch(CUgraphExec, CUstream) {
  const std::lock_guard guard(lock);
  graph_stock.grow(graph_bytes);
  graph_stock.used -= graph_bytes;
  return CUDA_SUCCESS;
}
FAKE CUresult cuDeviceGraphMemTrim(CUdevice) {
  const std::lock_guard guard(lock);
  graph_stock.shrink_to(0);
  return CUDA_SUCCESS;
}
FAKE CUresult cuDeviceGetGraphMemAttribute(CUdevice, CUgraphMem_attribute attribute, void* value) {
  const std::lock_guard guard(lock);
  const std::uint64_t answer =
      attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT ? graph_stock.reserved : graph_stock.used;
  std::memcpy(value, &answer, sizeof answer);
  return CUDA_SUCCESS;
}
