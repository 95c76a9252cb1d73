#include "tests/simdriver/cuda/graph_memory.h"

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/pool.h"

namespace hami::sim {
namespace {

Reservoir memories[kMaxDevices];

std::uint64_t round_up(std::uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

std::uint32_t device_of_node(const Node& node) { return state_index(node.memory.poolProps.location.id); }

// The size of the allocation node that made an address, among those before `end`.
std::uint64_t size_before(const Graph& graph, const Node* end, CUdeviceptr address) {
  for (const Node* at = graph.first; at != end; at = at->next) {
    if (at->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && at->memory.dptr == address)
      return round_up(at->memory.bytesize);
  }
  return 0;
}

// Bytes that are allocated at once in a launch, at most.
std::uint64_t most_at_once(const Graph& graph) {
  std::uint64_t level = 0;
  std::uint64_t most = 0;
  for (const Node* at = graph.first; at != nullptr; at = at->next) {
    if (at->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) level += round_up(at->memory.bytesize);
    if (at->type == CU_GRAPH_NODE_TYPE_MEM_FREE) level -= size_before(graph, at, at->freed);
    if (level > most) most = level;
  }
  return most;
}

const Node* first_allocation(const Graph& graph) {
  const Node* at = graph.first;
  while (at != nullptr && at->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC) at = at->next;
  return at;
}

CUresult get_attribute(const Reservoir& memory, CUgraphMem_attribute attribute, std::uint64_t& out) {
  switch (attribute) {
    case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT:
      out = memory.used;
      return CUDA_SUCCESS;
    case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
      out = memory.used_high;
      return CUDA_SUCCESS;
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT:
      out = memory.reserved;
      return CUDA_SUCCESS;
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
      out = memory.reserved_high;
      return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult allocate_node(const Node& node) {
  const std::uint32_t device = device_of_node(node);
  SIM_TRY(draw(memories[device], device, round_up(node.memory.bytesize), kBlock, 0));
  Allocation made = {};
  made.address = node.memory.dptr;
  made.size = node.memory.bytesize;
  made.kind = Kind::graph;
  made.device = device;
  remember(made);
  return CUDA_SUCCESS;
}

CUresult free_node(const Node& node) {
  Allocation allocation;
  if (!forget(node.freed, bit(Kind::graph), allocation)) return CUDA_ERROR_INVALID_VALUE;
  free_from_pool(allocation);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult upload_memory(const Graph& graph) {
  const Node* first = first_allocation(graph);
  if (first == nullptr) return CUDA_SUCCESS;
  const std::uint32_t device = device_of_node(*first);
  const std::uint64_t most = most_at_once(graph);
  SIM_TRY(draw(memories[device], device, most, kBlock, 0));
  put_back(memories[device], most);
  return CUDA_SUCCESS;
}

CUresult begin_memory(const Graph& graph, bool auto_free) {
  for (const Node* at = graph.first; at != nullptr; at = at->next) {
    Allocation allocation;
    if (at->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC || !find(at->memory.dptr, allocation)) continue;
    if (!auto_free) return CUDA_ERROR_INVALID_VALUE;
    if (forget(at->memory.dptr, bit(Kind::graph), allocation)) free_from_pool(allocation);
  }
  return upload_memory(graph);
}

CUresult run_memory_node(const Node& node) {
  if (node.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) return allocate_node(node);
  if (node.type == CU_GRAPH_NODE_TYPE_MEM_FREE) return free_node(node);
  return CUDA_SUCCESS;
}

void free_graph_memory(std::uint32_t device, std::uint64_t size) {
  put_back(memories[device], round_up(size));
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuDeviceGraphMemTrim(CUdevice device) {
  SIM_ENTER(cuDeviceGraphMemTrim);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  trim(memories[state_index(device)], state_index(device), 0);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
  SIM_ENTER(cuDeviceGetGraphMemAttribute);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return get_attribute(memories[state_index(device)], attribute, *static_cast<std::uint64_t*>(value));
}

CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
  SIM_ENTER(cuDeviceSetGraphMemAttribute);
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  if (value == nullptr || *static_cast<std::uint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
  auto& memory = memories[state_index(device)];
  if (attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH) return memory.used_high = memory.used, CUDA_SUCCESS;
  if (attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH)
    return memory.reserved_high = memory.reserved, CUDA_SUCCESS;
  return CUDA_ERROR_INVALID_VALUE;
}
}
