// Graphs: building, instantiating and launching them. Nodes run one after the other in the order they were
// added, which is one of the orders their dependencies allow.
#include "tests/simdriver/cuda/graph.h"

#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/module.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x6870617267ULL;

Node* new_node(Graph& graph, CUgraphNodeType type) {
  auto* node = static_cast<Node*>(calloc(1, sizeof(Node)));
  if (node == nullptr) return nullptr;
  node->type = type;
  node->graph = &graph;
  node->enabled = true;
  *graph.last = node;
  graph.last = &node->next;
  ++graph.count;
  return node;
}

bool depend(Node& node, Node* on) {
  void* grown = realloc(node.dependencies, (node.dependency_count + 1) * sizeof(Node*));
  if (grown == nullptr) return false;
  node.dependencies = static_cast<Node**>(grown);
  node.dependencies[node.dependency_count++] = on;
  return true;
}

// Adds a node with the dependencies a caller gave.
CUresult add(CUgraph handle, CUgraphNodeType type, const CUgraphNode* dependencies, std::size_t count,
             Node*& out) {
  Graph* graph = find_graph(handle);
  if (graph == nullptr || (count > 0 && dependencies == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  out = new_node(*graph, type);
  if (out == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  for (std::size_t i = 0; i < count; ++i) {
    if (!depend(*out, find_node(dependencies[i]))) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return CUDA_SUCCESS;
}

CUresult add_plain(CUgraphNode* out, CUgraph graph, CUgraphNodeType type, const CUgraphNode* dependencies,
                   std::size_t count) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Node* node = nullptr;
  SIM_TRY(add(graph, type, dependencies, count, node));
  *out = reinterpret_cast<CUgraphNode>(node);
  return CUDA_SUCCESS;
}

CUresult add_kernel(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, std::size_t count,
                    const CUDA_KERNEL_NODE_PARAMS& params) {
  SIM_TRY(add_plain(out, graph, CU_GRAPH_NODE_TYPE_KERNEL, dependencies, count));
  return set_kernel(*find_node(*out), params);
}

CUresult add_allocation(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, std::size_t count,
                        CUDA_MEM_ALLOC_NODE_PARAMS& params) {
  if (params.bytesize == 0 || params.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!is_device(params.poolProps.location.id)) return CUDA_ERROR_INVALID_DEVICE;
  SIM_TRY(add_plain(out, graph, CU_GRAPH_NODE_TYPE_MEM_ALLOC, dependencies, count));
  params.dptr = take_addresses(params.bytesize);
  find_node(*out)->memory = params;
  return CUDA_SUCCESS;
}

CUresult add_free(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, std::size_t count,
                  CUdeviceptr address) {
  SIM_TRY(add_plain(out, graph, CU_GRAPH_NODE_TYPE_MEM_FREE, dependencies, count));
  find_node(*out)->freed = address;
  return CUDA_SUCCESS;
}

// The general form: what kind of node it is says how its payload reads.
CUresult add_general(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, std::size_t count,
                     CUgraphNodeParams* params) {
  if (out == nullptr || params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  switch (params->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: {
      CUDA_KERNEL_NODE_PARAMS kernel{};
      memcpy(&kernel, params->payload, sizeof kernel);
      return add_kernel(out, graph, dependencies, count, kernel);
    }
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: {
      CUDA_MEM_ALLOC_NODE_PARAMS memory{};
      memcpy(&memory, params->payload, sizeof memory);
      SIM_TRY(add_allocation(out, graph, dependencies, count, memory));
      memcpy(params->payload, &memory, sizeof memory);
      return CUDA_SUCCESS;
    }
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      return add_free(out, graph, dependencies, count, params->payload[0]);
    default:
      return add_plain(out, graph, params->type, dependencies, count);
  }
}

// NVIDIA's way with lists: `count` is the room; without a list it tells the number there is.
template <typename Fill>
CUresult list_nodes(std::size_t available, CUgraphNode* nodes, std::size_t* count, Fill fill) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::size_t room = nodes != nullptr ? *count : 0;
  if (nodes != nullptr) fill(room);
  for (std::size_t i = available; i < room; ++i) nodes[i] = nullptr;
  *count = nodes != nullptr && room < available ? room : available;
  return CUDA_SUCCESS;
}

CUresult get_nodes(CUgraph handle, CUgraphNode* nodes, std::size_t* count) {
  const Graph* graph = find_graph(handle);
  if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return list_nodes(graph->count, nodes, count, [&](std::size_t room) {
    std::size_t i = 0;
    for (Node* at = graph->first; at != nullptr && i < room; at = at->next)
      nodes[i++] = reinterpret_cast<CUgraphNode>(at);
  });
}

CUresult get_dependencies(const Node* node, CUgraphNode* nodes, std::size_t* count) {
  if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return list_nodes(node->dependency_count, nodes, count, [&](std::size_t room) {
    for (std::size_t i = 0; i < node->dependency_count && i < room; ++i) {
      nodes[i] = reinterpret_cast<CUgraphNode>(node->dependencies[i]);
    }
  });
}

}  // namespace

Graph* find_graph(CUgraph handle) {
  auto* graph = reinterpret_cast<Graph*>(handle);
  return graph != nullptr && graph->magic == kMagic ? graph : nullptr;
}

Node* find_node(CUgraphNode handle) { return reinterpret_cast<Node*>(handle); }

void init_graph(Graph& graph) {
  graph.magic = kMagic;
  graph.first = nullptr;
  graph.last = &graph.first;
  graph.count = 0;
}

void clear_graph(Graph& graph) {
  while (graph.first != nullptr) {
    Node* node = graph.first;
    graph.first = node->next;
    free(node->dependencies);
    free(node);
  }
  graph.magic = 0;
}

bool clone_into(const Graph& from, Graph& to) {
  for (const Node* node = from.first; node != nullptr; node = node->next) {
    Node* copy = new_node(to, node->type);
    if (copy == nullptr) return false;
    *copy = *node;  // to.last points to copy->next, which stays where it is
    copy->graph = &to;
    copy->next = nullptr;
    copy->dependencies = nullptr;
    copy->dependency_count = 0;
    copy->original = const_cast<Node*>(node);
  }
  return true;
}

CUresult set_kernel(Node& node, const CUDA_KERNEL_NODE_PARAMS& params) {
  SIM_CONTEXT(context);
  const std::uint64_t blocks = std::uint64_t{params.gridDimX} * params.gridDimY * params.gridDimZ;
  if (blocks == 0) return CUDA_ERROR_INVALID_VALUE;
  SIM_TRY(cost_of(params.func, state().devices[context->device], blocks, node.work));
  node.kernel = params;
  return CUDA_SUCCESS;
}

CUDA_KERNEL_NODE_PARAMS widen(const CUDA_KERNEL_NODE_PARAMS_v1& params) {
  CUDA_KERNEL_NODE_PARAMS wide{};
  memcpy(&wide, &params, sizeof params);
  return wide;
}

bool is_graph(const Graph& graph) { return graph.magic == kMagic; }

Graph* make_graph() {
  auto* graph = static_cast<Graph*>(calloc(1, sizeof(Graph)));
  if (graph != nullptr) init_graph(*graph);
  return graph;
}

Node* capture_node(Stream& stream, CUgraphNodeType type) {
  if (stream.graph == nullptr) return nullptr;
  Node* node = new_node(*stream.graph, type);
  if (node != nullptr && stream.last != nullptr) depend(*node, stream.last);
  stream.last = node;
  return node;
}

CUresult capture_allocation(Stream& stream, std::uint64_t size, CUdeviceptr& address) {
  Node* node = capture_node(stream, CU_GRAPH_NODE_TYPE_MEM_ALLOC);
  if (node == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  node->memory.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  node->memory.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, stream.context->ordinal};
  node->memory.bytesize = size;
  node->memory.dptr = take_addresses(size);
  address = node->memory.dptr;
  return CUDA_SUCCESS;
}

CUresult capture_free(Stream& stream, CUdeviceptr address) {
  Node* node = capture_node(stream, CU_GRAPH_NODE_TYPE_MEM_FREE);
  if (node == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  node->freed = address;
  return CUDA_SUCCESS;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuGraphCreate(CUgraph* graph, unsigned flags) {
  SIM_ENTER(cuGraphCreate);
  if (graph == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  *graph = reinterpret_cast<CUgraph>(make_graph());
  return *graph != nullptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuGraphDestroy(CUgraph handle) {
  SIM_ENTER(cuGraphDestroy);
  Graph* graph = find_graph(handle);
  if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  clear_graph(*graph);
  free(graph);
  return CUDA_SUCCESS;
}

CUresult cuGraphClone(CUgraph* out, CUgraph original) {
  SIM_ENTER(cuGraphClone);
  const Graph* graph = find_graph(original);
  if (out == nullptr || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Graph* clone = make_graph();
  if (clone == nullptr || !clone_into(*graph, *clone)) return CUDA_ERROR_OUT_OF_MEMORY;
  *out = reinterpret_cast<CUgraph>(clone);
  return CUDA_SUCCESS;
}

CUresult cuGraphAddEmptyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                             std::size_t count) {
  SIM_ENTER(cuGraphAddEmptyNode);
  return add_plain(node, graph, CU_GRAPH_NODE_TYPE_EMPTY, dependencies, count);
}

CUresult cuGraphAddHostNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                            std::size_t count, const CUDA_HOST_NODE_PARAMS*) {
  SIM_ENTER(cuGraphAddHostNode);
  return add_plain(node, graph, CU_GRAPH_NODE_TYPE_HOST, dependencies, count);
}

CUresult cuGraphAddMemcpyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                              std::size_t count, const CUDA_MEMCPY3D*, CUcontext) {
  SIM_ENTER(cuGraphAddMemcpyNode);
  return add_plain(node, graph, CU_GRAPH_NODE_TYPE_MEMCPY, dependencies, count);
}

CUresult cuGraphAddMemsetNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                              std::size_t count, const CUDA_MEMSET_NODE_PARAMS*, CUcontext) {
  SIM_ENTER(cuGraphAddMemsetNode);
  return add_plain(node, graph, CU_GRAPH_NODE_TYPE_MEMSET, dependencies, count);
}

CUresult cuGraphAddChildGraphNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                                  std::size_t count, CUgraph child) {
  SIM_ENTER(cuGraphAddChildGraphNode);
  const Graph* source = find_graph(child);
  if (source == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_TRY(add_plain(node, graph, CU_GRAPH_NODE_TYPE_GRAPH, dependencies, count));
  Graph* clone = make_graph();
  if (clone == nullptr || !clone_into(*source, *clone)) return CUDA_ERROR_OUT_OF_MEMORY;
  find_node(*node)->child = clone;
  return CUDA_SUCCESS;
}

CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph* graph) {
  SIM_ENTER(cuGraphChildGraphNodeGetGraph);
  if (node == nullptr || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *graph = reinterpret_cast<CUgraph>(find_node(node)->child);
  return *graph != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphAddKernelNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                              std::size_t count, const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER(cuGraphAddKernelNode);
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_kernel(node, graph, dependencies, count, widen(*params));
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                                 std::size_t count, const CUDA_KERNEL_NODE_PARAMS* params) {
  SIM_ENTER(cuGraphAddKernelNode_v2);
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_kernel(node, graph, dependencies, count, *params);
}

CUresult cuGraphAddMemAllocNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                                std::size_t count, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  SIM_ENTER(cuGraphAddMemAllocNode);
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_allocation(node, graph, dependencies, count, *params);
}

CUresult cuGraphAddMemFreeNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                               std::size_t count, CUdeviceptr address) {
  SIM_ENTER(cuGraphAddMemFreeNode);
  return add_free(node, graph, dependencies, count, address);
}

CUresult cuGraphAddNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies, std::size_t count,
                        CUgraphNodeParams* params) {
  SIM_ENTER(cuGraphAddNode);
  return add_general(node, graph, dependencies, count, params);
}

CUresult cuGraphAddNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                           const CUgraphEdgeData*, std::size_t count, CUgraphNodeParams* params) {
  SIM_ENTER(cuGraphAddNode_v2);
  return add_general(node, graph, dependencies, count, params);
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, std::size_t* count) {
  SIM_ENTER(cuGraphGetNodes);
  return get_nodes(graph, nodes, count);
}

CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode* dependencies, std::size_t* count) {
  SIM_ENTER(cuGraphNodeGetDependencies);
  return get_dependencies(find_node(node), dependencies, count);
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
  SIM_ENTER(cuGraphNodeGetType);
  if (node == nullptr || type == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *type = find_node(node)->type;
  return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER(cuGraphKernelNodeGetParams);
  if (node == nullptr || params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  memcpy(params, &find_node(node)->kernel, sizeof *params);
  return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS* params) {
  SIM_ENTER(cuGraphKernelNodeGetParams_v2);
  if (node == nullptr || params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *params = find_node(node)->kernel;
  return CUDA_SUCCESS;
}

CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  SIM_ENTER(cuGraphMemAllocNodeGetParams);
  if (node == nullptr || params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *params = find_node(node)->memory;
  return CUDA_SUCCESS;
}

CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr* address) {
  SIM_ENTER(cuGraphMemFreeNodeGetParams);
  if (node == nullptr || address == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *address = find_node(node)->freed;
  return CUDA_SUCCESS;
}
}
