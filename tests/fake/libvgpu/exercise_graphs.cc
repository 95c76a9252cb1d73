// Scenarios of memory that graphs allocate.
#include "tests/fake/libvgpu/exercise.h"

namespace hami::exercise {
namespace {

struct Allocating {
  CUgraph graph = nullptr;
  CUgraphNode node = nullptr;
  CUgraphExec exec = nullptr;
  CUdeviceptr address = 0;
};

// A graph with one node that allocates, and one that frees it where `frees`.
Allocating make_graph(std::size_t bytes, bool frees) {
  Allocating made;
  CUDA_MEM_ALLOC_NODE_PARAMS memory = {};
  memory.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  memory.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  memory.bytesize = bytes;
  step("graph", cuda.cuGraphCreate(&made.graph, 0));
  step("alloc node", cuda.cuGraphAddMemAllocNode(&made.node, made.graph, nullptr, 0, &memory));
  made.address = memory.dptr;
  CUgraphNode end = nullptr;
  if (frees) step("free node", cuda.cuGraphAddMemFreeNode(&end, made.graph, &made.node, 1, memory.dptr));
  step("instantiate", cuda.cuGraphInstantiateWithFlags(&made.exec, made.graph, 0));
  return made;
}

// The allocation outlives the launch; either function frees it, and the graph's memory stays until a trim.
void freed_outside() {
  create();
  const Allocating made = make_graph(400 * kMiB, false);
  step("launch", cuda.cuGraphLaunch(made.exec, nullptr));
  step("launch while it lives", cuda.cuGraphLaunch(made.exec, nullptr));
  step("free", cuda.cuMemFree_v2(made.address));
  step("free again", cuda.cuMemFree_v2(made.address));
  step("launch", cuda.cuGraphLaunch(made.exec, nullptr));
  step("free in order", cuda.cuMemFreeAsync(made.address, nullptr));
  step("wait", cuda.cuCtxSynchronize());
  step("trim", cuda.cuDeviceGraphMemTrim(device));
}

// A graph that frees its own memory runs as often as one likes.
void freed_inside() {
  create();
  const Allocating made = make_graph(400 * kMiB, true);
  step("upload", cuda.cuGraphUpload(made.exec, nullptr));
  step("launch", cuda.cuGraphLaunch(made.exec, nullptr));
  step("launch again", cuda.cuGraphLaunch(made.exec, nullptr));
  step("destroy", cuda.cuGraphExecDestroy(made.exec));
  step("trim", cuda.cuDeviceGraphMemTrim(device));
  CUdeviceptr all = 0;
  step("all", cuda.cuMemAlloc_v2(&all, 1000 * kMiB));
}

void too_large() {
  create();
  const Allocating made = make_graph(1200 * kMiB, true);
  step("launch", cuda.cuGraphLaunch(made.exec, nullptr));
  CUdeviceptr other = 0;
  step("alloc", cuda.cuMemAlloc_v2(&other, 700 * kMiB));
  const Allocating fits = make_graph(400 * kMiB, true);
  step("launch beside", cuda.cuGraphLaunch(fits.exec, nullptr));
  step("free", cuda.cuMemFree_v2(other));
  step("launch alone", cuda.cuGraphLaunch(fits.exec, nullptr));
  step("trim", cuda.cuDeviceGraphMemTrim(device));
}

}  // namespace

const Scenario kGraphScenarios[] = {{"graph-outside", freed_outside},
                                    {"graph-inside", freed_inside},
                                    {"graph-too-large", too_large},
                                    {nullptr, nullptr}};

}  // namespace hami::exercise
