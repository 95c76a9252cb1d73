// Executable graphs. Nodes run one after the other in the order they were added, which is one of the orders
// their dependencies allow.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/graph_memory.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kAutoFree = 1;
constexpr std::uint64_t kUpload = 2;

// An executable graph is a clone with the flags of its making.
struct Exec {
  Graph graph;
  std::uint64_t flags;
};

Exec* find_exec(CUgraphExec handle) {
  auto* exec = reinterpret_cast<Exec*>(handle);
  return exec != nullptr && is_graph(exec->graph) ? exec : nullptr;
}

// The node of an executable graph that stands for one of the graph it was made from.
Node* find_copy(const Graph& graph, const Node* original) {
  for (Node* node = graph.first; node != nullptr; node = node->next) {
    if (node->original == original) return node;
  }
  return nullptr;
}

CUresult instantiate(CUgraphExec* out, CUgraph handle, std::uint64_t flags, Stream* upload_stream) {
  const Graph* graph = find_graph(handle);
  if (out == nullptr || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto* exec = static_cast<Exec*>(calloc(1, sizeof(Exec)));
  if (exec == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  init_graph(exec->graph);
  exec->flags = flags;
  if (!clone_into(*graph, exec->graph)) return CUDA_ERROR_OUT_OF_MEMORY;
  if ((flags & kUpload) != 0 && upload_stream != nullptr) SIM_TRY(upload_memory(exec->graph));
  *out = reinterpret_cast<CUgraphExec>(exec);
  return CUDA_SUCCESS;
}

CUresult launch_nodes(const Graph& graph, Stream& stream, bool auto_free) {
  SIM_TRY(begin_memory(graph, auto_free));
  for (const Node* node = graph.first; node != nullptr; node = node->next) {
    if (node->type == CU_GRAPH_NODE_TYPE_KERNEL && node->enabled) enqueue(stream, node->work);
    if (node->type == CU_GRAPH_NODE_TYPE_GRAPH && node->child != nullptr) {
      SIM_TRY(launch_nodes(*node->child, stream, auto_free));
    }
    SIM_TRY(run_memory_node(*node));
  }
  return CUDA_SUCCESS;
}

CUresult launch(CUgraphExec handle, CUstream stream_handle, Door door) {
  const Exec* exec = find_exec(handle);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  if (stream->graph != nullptr) return invalidate(*stream);
  return launch_nodes(exec->graph, *stream, (exec->flags & kAutoFree) != 0);
}

CUresult upload(CUgraphExec handle, CUstream stream_handle, Door door) {
  const Exec* exec = find_exec(handle);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  SIM_TRY(find_stream(stream_handle, door, stream));
  return upload_memory(exec->graph);
}

CUresult update(CUgraphExec exec_handle, CUgraph graph_handle) {
  Exec* exec = find_exec(exec_handle);
  const Graph* graph = find_graph(graph_handle);
  if (exec == nullptr || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  constexpr auto kFailure = static_cast<CUresult>(910);  // CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE
  if (graph->count != exec->graph.count) return kFailure;
  const Node* from = graph->first;
  for (Node* to = exec->graph.first; to != nullptr; to = to->next, from = from->next) {
    if (from->type != to->type) return kFailure;
    to->work = from->work;
    to->kernel = from->kernel;
  }
  return CUDA_SUCCESS;
}

CUresult set_exec_kernel(CUgraphExec handle, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS& params) {
  const Exec* exec = find_exec(handle);
  Node* copy = exec != nullptr ? find_copy(exec->graph, find_node(node)) : nullptr;
  return copy != nullptr ? set_kernel(*copy, params) : CUDA_ERROR_INVALID_VALUE;
}

CUresult instantiate_with(CUgraphExec* exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* params,
                          Door door) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Stream* stream = nullptr;
  if ((params->flags & kUpload) != 0) SIM_TRY(find_stream(params->hUploadStream, door, stream));
  params->result_out = 0;
  return instantiate(exec, graph, params->flags, stream);
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, CUgraphNode*, char*, std::size_t) {
  SIM_ENTER(cuGraphInstantiate);
  return instantiate(exec, graph, 0, nullptr);
}

CUresult cuGraphInstantiate_v2(CUgraphExec* exec, CUgraph graph, CUgraphNode*, char*, std::size_t) {
  SIM_ENTER(cuGraphInstantiate_v2);
  return instantiate(exec, graph, 0, nullptr);
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, std::uint64_t flags) {
  SIM_ENTER(cuGraphInstantiateWithFlags);
  return instantiate(exec, graph, flags, nullptr);
}

SIM_BOTH(cuGraphInstantiateWithParams, cuGraphInstantiateWithParams_ptsz,
         (CUgraphExec * exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* params),
         instantiate_with(exec, graph, params, door))

SIM_BOTH(cuGraphLaunch, cuGraphLaunch_ptsz, (CUgraphExec exec, CUstream stream), launch(exec, stream, door))
SIM_BOTH(cuGraphUpload, cuGraphUpload_ptsz, (CUgraphExec exec, CUstream stream), upload(exec, stream, door))

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  SIM_ENTER(cuGraphExecDestroy);
  auto* exec = find_exec(handle);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  clear_graph(exec->graph);
  free(exec);
  return CUDA_SUCCESS;
}

CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode*, CUgraphExecUpdateResult*) {
  SIM_ENTER(cuGraphExecUpdate);
  return update(exec, graph);
}

CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo*) {
  SIM_ENTER(cuGraphExecUpdate_v2);
  return update(exec, graph);
}

CUresult cuGraphExecGetFlags(CUgraphExec handle, std::uint64_t* flags) {
  SIM_ENTER(cuGraphExecGetFlags);
  const auto* exec = find_exec(handle);
  if (exec == nullptr || flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = exec->flags;
  return CUDA_SUCCESS;
}

CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                        const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER(cuGraphExecKernelNodeSetParams);
  return params == nullptr ? CUDA_ERROR_INVALID_VALUE : set_exec_kernel(exec, node, widen(*params));
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* params) {
  SIM_ENTER(cuGraphExecKernelNodeSetParams_v2);
  return params == nullptr ? CUDA_ERROR_INVALID_VALUE : set_exec_kernel(exec, node, *params);
}

CUresult cuGraphNodeSetEnabled(CUgraphExec handle, CUgraphNode node, unsigned enabled) {
  SIM_ENTER(cuGraphNodeSetEnabled);
  const auto* exec = find_exec(handle);
  Node* copy = exec != nullptr ? find_copy(exec->graph, find_node(node)) : nullptr;
  if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  copy->enabled = enabled != 0;
  return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetEnabled(CUgraphExec handle, CUgraphNode node, unsigned* enabled) {
  SIM_ENTER(cuGraphNodeGetEnabled);
  const auto* exec = find_exec(handle);
  const Node* copy = exec != nullptr ? find_copy(exec->graph, find_node(node)) : nullptr;
  if (copy == nullptr || enabled == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *enabled = copy->enabled ? 1 : 0;
  return CUDA_SUCCESS;
}
}
