// Kernel launches: every form is one kernel at the end of a stream, or a node of the graph being captured.
#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/module.h"
#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMaxThreads = 1024;

struct Shape {
  unsigned x, y, z;
  [[nodiscard]] std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

CUresult launch(CUfunction function, Shape grid, Shape block, unsigned shared_bytes, CUstream handle,
                Door door, void** parameters, void** extra) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (grid.count() == 0 || block.count() == 0 || block.count() > kMaxThreads) return CUDA_ERROR_INVALID_VALUE;
  Work work{};
  SIM_TRY(cost_of(function, state().devices[stream->context->device], grid.count(), work));
  if (stream->invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (Node* node = capture_node(*stream, CU_GRAPH_NODE_TYPE_KERNEL)) {
    node->work = work;
    node->kernel = {function, grid.x,       grid.y,     grid.z, block.x, block.y,
                    block.z,  shared_bytes, parameters, extra,  nullptr, nullptr};
    return CUDA_SUCCESS;
  }
  enqueue(*stream, work);
  return CUDA_SUCCESS;
}

CUresult launch_config(const CUlaunchConfig* config, CUfunction function, Door door, void** parameters,
                       void** extra) {
  if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return launch(function, {config->gridDimX, config->gridDimY, config->gridDimZ},
                {config->blockDimX, config->blockDimY, config->blockDimZ}, config->sharedMemBytes,
                config->hStream, door, parameters, extra);
}

CUresult launch_old(CUfunction function, int width, int height, CUstream stream) {
  if (width <= 0 || height <= 0) return CUDA_ERROR_INVALID_VALUE;
  return launch(function, {static_cast<unsigned>(width), static_cast<unsigned>(height), 1}, {1, 1, 1}, 0,
                stream, Door::legacy, nullptr, nullptr);
}

CUresult launch_on_devices(const CUDA_LAUNCH_PARAMS* list, unsigned count) {
  if (list == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i) {
    const CUDA_LAUNCH_PARAMS& one = list[i];
    SIM_TRY(launch(one.function, {one.gridDimX, one.gridDimY, one.gridDimZ},
                   {one.blockDimX, one.blockDimY, one.blockDimZ}, one.sharedMemBytes, one.hStream,
                   Door::legacy, one.kernelParams, nullptr));
  }
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

SIM_BOTH(cuLaunchKernel, cuLaunchKernel_ptsz,
         (CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
          unsigned shared, CUstream stream, void** parameters, void** extra),
         launch(f, {gx, gy, gz}, {bx, by, bz}, shared, stream, door, parameters, extra))
SIM_BOTH(cuLaunchKernelEx, cuLaunchKernelEx_ptsz,
         (const CUlaunchConfig* config, CUfunction f, void** parameters, void** extra),
         launch_config(config, f, door, parameters, extra))
SIM_BOTH(cuLaunchCooperativeKernel, cuLaunchCooperativeKernel_ptsz,
         (CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
          unsigned shared, CUstream stream, void** parameters),
         launch(f, {gx, gy, gz}, {bx, by, bz}, shared, stream, door, parameters, nullptr))

CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS* list, unsigned count, unsigned) {
  SIM_ENTER(cuLaunchCooperativeKernelMultiDevice);
  return launch_on_devices(list, count);
}

CUresult cuLaunch(CUfunction f) {
  SIM_ENTER(cuLaunch);
  return launch_old(f, 1, 1, nullptr);
}

CUresult cuLaunchGrid(CUfunction f, int width, int height) {
  SIM_ENTER(cuLaunchGrid);
  return launch_old(f, width, height, nullptr);
}

CUresult cuLaunchGridAsync(CUfunction f, int width, int height, CUstream stream) {
  SIM_ENTER(cuLaunchGridAsync);
  return launch_old(f, width, height, stream);
}
}
