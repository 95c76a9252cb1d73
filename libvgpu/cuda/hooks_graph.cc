// Graphs that allocate memory: what their nodes ask for is admitted when the graph is launched or uploaded.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/graph_memory.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// Graphs without allocation nodes stay untouched. A graph whose memory cannot be told is not instantiated.
CUresult note(CUresult status, CUgraphExec* exec, CUgraph graph) noexcept {
  if (status != CUDA_SUCCESS || !g_graph_memory.is_expected() || mode() != Mode::on) return status;
  if (g_graph_memory.instantiated(*exec, graph)) return status;
  driver<&CudaDriver::cuGraphExecDestroy>(*exec);
  *exec = nullptr;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

template <typename Call>
CUresult launch(CUgraphExec exec, Call call) noexcept {
  if (!g_graph_memory.is_expected()) [[likely]]
    return call();
  return mode() == Mode::on ? g_graph_memory.launch(exec, call) : call();
}

CUresult expect_allocation(CUresult status, const CUgraphNodeParams* params) noexcept {
  if (status == CUDA_SUCCESS && params->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) g_graph_memory.expect();
  return status;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuGraphAddMemAllocNode(CUgraphNode* graph_node, CUgraph graph,
                                            const CUgraphNode* dependencies, std::size_t num_dependencies,
                                            CUDA_MEM_ALLOC_NODE_PARAMS* node_params) {
  const CUresult status = driver<&CudaDriver::cuGraphAddMemAllocNode>(graph_node, graph, dependencies,
                                                                      num_dependencies, node_params);
  if (status == CUDA_SUCCESS) g_graph_memory.expect();
  return status;
}

HAMI_EXPORT CUresult cuGraphAddNode(CUgraphNode* graph_node, CUgraph graph, const CUgraphNode* dependencies,
                                    std::size_t num_dependencies, CUgraphNodeParams* node_params) {
  return expect_allocation(
      driver<&CudaDriver::cuGraphAddNode>(graph_node, graph, dependencies, num_dependencies, node_params),
      node_params);
}

HAMI_EXPORT CUresult cuGraphAddNode_v2(CUgraphNode* graph_node, CUgraph graph,
                                       const CUgraphNode* dependencies,
                                       const CUgraphEdgeData* dependency_data, std::size_t num_dependencies,
                                       CUgraphNodeParams* node_params) {
  return expect_allocation(
      driver<&CudaDriver::cuGraphAddNode_v2>(graph_node, graph, dependencies, dependency_data,
                                             num_dependencies, node_params),
      node_params);
}

HAMI_EXPORT CUresult cuGraphInstantiate(CUgraphExec* graph_exec, CUgraph graph, CUgraphNode* error_node,
                                        char* log_buffer, std::size_t buffer_size) {
  return note(driver<&CudaDriver::cuGraphInstantiate>(graph_exec, graph, error_node, log_buffer, buffer_size),
              graph_exec, graph);
}

HAMI_EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec* graph_exec, CUgraph graph, CUgraphNode* error_node,
                                           char* log_buffer, std::size_t buffer_size) {
  return note(
      driver<&CudaDriver::cuGraphInstantiate_v2>(graph_exec, graph, error_node, log_buffer, buffer_size),
      graph_exec, graph);
}

HAMI_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec* graph_exec, CUgraph graph,
                                                 std::uint64_t flags) {
  return note(driver<&CudaDriver::cuGraphInstantiateWithFlags>(graph_exec, graph, flags), graph_exec, graph);
}

HAMI_EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec* graph_exec, CUgraph graph,
                                                  CUDA_GRAPH_INSTANTIATE_PARAMS* instantiate_params) {
  return note(driver<&CudaDriver::cuGraphInstantiateWithParams>(graph_exec, graph, instantiate_params),
              graph_exec, graph);
}

HAMI_EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec* graph_exec, CUgraph graph,
                                                       CUDA_GRAPH_INSTANTIATE_PARAMS* instantiate_params) {
  return note(driver<&CudaDriver::cuGraphInstantiateWithParams_ptsz>(graph_exec, graph, instantiate_params),
              graph_exec, graph);
}

HAMI_EXPORT CUresult cuGraphExecDestroy(CUgraphExec graph_exec) {
  // First: the name may be reused.
  if (g_graph_memory.is_expected()) g_graph_memory.destroyed(graph_exec);
  if (is_paced()) forget_graph_cost(graph_exec);
  return driver<&CudaDriver::cuGraphExecDestroy>(graph_exec);
}

HAMI_EXPORT CUresult cuGraphLaunch(CUgraphExec graph_exec, CUstream stream) {
  return paced(graph_shape(graph_exec), stream, Door::legacy, Hold::by_samples, [=] {
    return launch(graph_exec, [=] { return driver<&CudaDriver::cuGraphLaunch>(graph_exec, stream); });
  });
}

HAMI_EXPORT CUresult cuGraphLaunch_ptsz(CUgraphExec graph_exec, CUstream stream) {
  return paced(graph_shape(graph_exec), stream, Door::per_thread, Hold::by_samples, [=] {
    return launch(graph_exec, [=] { return driver<&CudaDriver::cuGraphLaunch_ptsz>(graph_exec, stream); });
  });
}

HAMI_EXPORT CUresult cuGraphUpload(CUgraphExec graph_exec, CUstream stream) {
  return launch(graph_exec, [=] { return driver<&CudaDriver::cuGraphUpload>(graph_exec, stream); });
}

HAMI_EXPORT CUresult cuGraphUpload_ptsz(CUgraphExec graph_exec, CUstream stream) {
  return launch(graph_exec, [=] { return driver<&CudaDriver::cuGraphUpload_ptsz>(graph_exec, stream); });
}

HAMI_EXPORT CUresult cuDeviceGraphMemTrim(CUdevice device) {
  const CUresult status = driver<&CudaDriver::cuDeviceGraphMemTrim>(device);
  if (status != CUDA_SUCCESS || !g_graph_memory.is_expected() || mode() != Mode::on) return status;
  const int index = device_index(device);
  if (index >= 0) g_graph_memory.settle_all(static_cast<unsigned>(index));
  return status;
}
