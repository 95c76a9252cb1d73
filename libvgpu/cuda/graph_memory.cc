#include "libvgpu/cuda/graph_memory.h"

#include <sys/mman.h>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/cuda/driver.h"

namespace hami::vgpu {

constinit GraphMemory g_graph_memory;

namespace {

constexpr int kMaxDepth = 16;  // of graphs inside graphs

// Handles are aligned addresses: seventeen times one of them leaves room for the numbers of sixteen devices.
std::uint64_t name_of(CUgraphExec exec, unsigned device) noexcept {
  return reinterpret_cast<std::uintptr_t>(exec) * 17 + device;
}

void add_allocation(CUgraphNode node, GraphMemory::Costs& costs) noexcept {
  CUDA_MEM_ALLOC_NODE_PARAMS params = {};
  if (driver<&CudaDriver::cuGraphMemAllocNodeGetParams>(node, &params) != CUDA_SUCCESS) {
    costs.impossible = true;
    return;
  }
  if (params.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE) return;
  const int device = device_index(params.poolProps.location.id);
  if (device < 0 || params.bytesize > abi::kHeldMax) {
    costs.impossible = true;
    return;
  }
  constexpr std::uint64_t kBlock = std::uint64_t{2} << 20U;
  costs.bytes[device] += (params.bytesize + kBlock - 1) / kBlock * kBlock;
  costs.ordinals[device] = params.poolProps.location.id;
}

void add_graph(CUgraph graph, int depth, GraphMemory::Costs& costs) noexcept;

void add_node(CUgraphNode node, int depth, GraphMemory::Costs& costs) noexcept {
  CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
  driver<&CudaDriver::cuGraphNodeGetType>(node, &type);
  if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) add_allocation(node, costs);
  if (type != CU_GRAPH_NODE_TYPE_GRAPH) return;
  CUgraph child = nullptr;
  if (driver<&CudaDriver::cuGraphChildGraphNodeGetGraph>(node, &child) == CUDA_SUCCESS) {
    add_graph(child, depth + 1, costs);
  }
}

void add_graph(CUgraph graph, int depth, GraphMemory::Costs& costs) noexcept {
  std::size_t count = 0;
  if (driver<&CudaDriver::cuGraphGetNodes>(graph, static_cast<CUgraphNode*>(nullptr), &count) !=
          CUDA_SUCCESS ||
      count == 0) {
    return;
  }
  const std::size_t size = count * sizeof(CUgraphNode);
  void* memory = MAP_FAILED;
  if (depth < kMaxDepth) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  if (memory == MAP_FAILED) {
    costs.impossible = true;
    return;
  }
  auto* nodes = static_cast<CUgraphNode*>(memory);
  if (driver<&CudaDriver::cuGraphGetNodes>(graph, nodes, &count) == CUDA_SUCCESS) {
    for (std::size_t i = 0; i < count && i < size / sizeof(CUgraphNode); ++i)
      add_node(nodes[i], depth, costs);
  }
  ::munmap(memory, size);
}

}  // namespace

bool GraphMemory::instantiated(CUgraphExec exec, CUgraph graph) noexcept {
  Costs costs;
  add_graph(graph, 0, costs);
  if (costs.impossible) return false;
  const LockGuard guard(lock_);
  bool stored = true;
  for (unsigned device = 0; device < abi::kMaxDevices; ++device) {
    if (costs.bytes[device] == 0) continue;
    ordinals_[device].store(costs.ordinals[device] + 1, std::memory_order_relaxed);
    stored = stored && costs_.put(name_of(exec, device), costs.bytes[device]);
  }
  return stored;
}

void GraphMemory::destroyed(CUgraphExec exec) noexcept {
  const LockGuard guard(lock_);
  if (costs_.size() == 0) return;
  for (unsigned device = 0; device < abi::kMaxDevices; ++device) costs_.erase(name_of(exec, device));
}

bool GraphMemory::find_costs(CUgraphExec exec, Costs& costs) noexcept {
  const LockGuard guard(lock_);
  if (costs_.size() == 0) return false;
  bool any = false;
  for (unsigned device = 0; device < abi::kMaxDevices; ++device) {
    const std::uint64_t* bytes = costs_.find(name_of(exec, device));
    if (bytes == nullptr) continue;
    any = true;
    costs.bytes[device] = *bytes;
    costs.ordinals[device] = ordinals_[device].load(std::memory_order_relaxed) - 1;
  }
  return any;
}

Stock GraphMemory::stock(unsigned device) noexcept {
  Stock stock;
  const CUdevice ordinal = ordinals_[device].load(std::memory_order_relaxed) - 1;
  if (ordinal < 0 || driver<&CudaDriver::cuDeviceGetGraphMemAttribute>(
                         ordinal, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT,
                         static_cast<void*>(&stock.reserved)) != CUDA_SUCCESS) {
    return {};
  }
  driver<&CudaDriver::cuDeviceGetGraphMemAttribute>(ordinal, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT,
                                                    static_cast<void*>(&stock.used));
  return stock;
}

void GraphMemory::settle_all(unsigned device) noexcept {
  if (!is_expected() || device >= abi::kMaxDevices) return;
  Store& store = stores_[device];
  if (ordinals_[device].load(std::memory_order_relaxed) == 0 || !store.lock.try_lock()) return;
  store.device = device;
  settle(store, stock(device));
  store.lock.unlock();
}

void GraphMemory::forget() noexcept {
  lock_.reset();
  costs_.clear();
  expected_.store(false);
  for (unsigned device = 0; device < abi::kMaxDevices; ++device) {
    stores_[device].lock.reset();
    stores_[device].charged = 0;
    ordinals_[device].store(0);
  }
}

}  // namespace hami::vgpu
