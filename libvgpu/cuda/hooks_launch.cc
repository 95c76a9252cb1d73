// Launches of kernels: where a core limit holds they wait for their turn. Launches of graphs are in
// hooks_graph.cc.
#include "libvgpu/cuda/pace.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

using share::LaunchShape;

LaunchShape shape_of(const CUlaunchConfig& config, CUfunction f) noexcept {
  return {f,
          {config.gridDimX, config.gridDimY, config.gridDimZ},
          {config.blockDimX, config.blockDimY, config.blockDimZ}};
}

CUresult launch_config(const CUlaunchConfig* config, CUfunction f, Door door, auto call) noexcept {
  // The driver refuses itself what it cannot read.
  return config == nullptr || is_free_of_pacing()
             ? call()
             : paced(shape_of(*config, f), config->hStream, door, Hold::by_samples, call);
}

// Every device pays before the first of the kernels goes: they wait for each other on their cards.
void pay_for(const CUDA_LAUNCH_PARAMS& one) noexcept {
  CUcontext context = nullptr;
  if (driver<&CudaDriver::cuStreamGetCtx>(one.hStream, &context) != CUDA_SUCCESS ||
      driver<&CudaDriver::cuCtxPushCurrent_v2>(context) != CUDA_SUCCESS)
    return;
  const LaunchShape shape = {one.function,
                             {one.gridDimX, one.gridDimY, one.gridDimZ},
                             {one.blockDimX, one.blockDimY, one.blockDimZ}};
  paced(shape, one.hStream, Door::legacy, Hold::never, [] { return CUDA_ERROR_NOT_READY; });
  driver<&CudaDriver::cuCtxPopCurrent_v2>(&context);
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuLaunchKernel(CUfunction f, unsigned grid_dim_x, unsigned grid_dim_y,
                                    unsigned grid_dim_z, unsigned block_dim_x, unsigned block_dim_y,
                                    unsigned block_dim_z, unsigned shared_mem_bytes, CUstream stream,
                                    void** kernel_params, void** extra) {
  // Before anything else: a linked program comes here also when nothing is paced.
  if (is_free_of_pacing()) [[likely]] {
    return driver<&CudaDriver::cuLaunchKernel>(f, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x,
                                               block_dim_y, block_dim_z, shared_mem_bytes, stream,
                                               kernel_params, extra);
  }
  return paced({f, {grid_dim_x, grid_dim_y, grid_dim_z}, {block_dim_x, block_dim_y, block_dim_z}}, stream,
               Door::legacy, Hold::by_samples, [=] {
                 return driver<&CudaDriver::cuLaunchKernel>(f, grid_dim_x, grid_dim_y, grid_dim_z,
                                                            block_dim_x, block_dim_y, block_dim_z,
                                                            shared_mem_bytes, stream, kernel_params, extra);
               });
}

HAMI_EXPORT CUresult cuLaunchKernel_ptsz(CUfunction f, unsigned grid_dim_x, unsigned grid_dim_y,
                                         unsigned grid_dim_z, unsigned block_dim_x, unsigned block_dim_y,
                                         unsigned block_dim_z, unsigned shared_mem_bytes, CUstream stream,
                                         void** kernel_params, void** extra) {
  if (is_free_of_pacing()) [[likely]] {
    return driver<&CudaDriver::cuLaunchKernel_ptsz>(f, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x,
                                                    block_dim_y, block_dim_z, shared_mem_bytes, stream,
                                                    kernel_params, extra);
  }
  return paced({f, {grid_dim_x, grid_dim_y, grid_dim_z}, {block_dim_x, block_dim_y, block_dim_z}}, stream,
               Door::per_thread, Hold::by_samples, [=] {
                 return driver<&CudaDriver::cuLaunchKernel_ptsz>(
                     f, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x, block_dim_y, block_dim_z,
                     shared_mem_bytes, stream, kernel_params, extra);
               });
}

HAMI_EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** kernel_params,
                                      void** extra) {
  return launch_config(config, f, Door::legacy, [=] {
    return driver<&CudaDriver::cuLaunchKernelEx>(config, f, kernel_params, extra);
  });
}

HAMI_EXPORT CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig* config, CUfunction f, void** kernel_params,
                                           void** extra) {
  return launch_config(config, f, Door::per_thread, [=] {
    return driver<&CudaDriver::cuLaunchKernelEx_ptsz>(config, f, kernel_params, extra);
  });
}

HAMI_EXPORT CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned grid_dim_x, unsigned grid_dim_y,
                                               unsigned grid_dim_z, unsigned block_dim_x,
                                               unsigned block_dim_y, unsigned block_dim_z,
                                               unsigned shared_mem_bytes, CUstream stream,
                                               void** kernel_params) {
  return paced({f, {grid_dim_x, grid_dim_y, grid_dim_z}, {block_dim_x, block_dim_y, block_dim_z}}, stream,
               Door::legacy, Hold::never, [=] {
                 return driver<&CudaDriver::cuLaunchCooperativeKernel>(
                     f, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x, block_dim_y, block_dim_z,
                     shared_mem_bytes, stream, kernel_params);
               });
}

HAMI_EXPORT CUresult cuLaunchCooperativeKernel_ptsz(CUfunction f, unsigned grid_dim_x, unsigned grid_dim_y,
                                                    unsigned grid_dim_z, unsigned block_dim_x,
                                                    unsigned block_dim_y, unsigned block_dim_z,
                                                    unsigned shared_mem_bytes, CUstream stream,
                                                    void** kernel_params) {
  return paced({f, {grid_dim_x, grid_dim_y, grid_dim_z}, {block_dim_x, block_dim_y, block_dim_z}}, stream,
               Door::per_thread, Hold::never, [=] {
                 return driver<&CudaDriver::cuLaunchCooperativeKernel_ptsz>(
                     f, grid_dim_x, grid_dim_y, grid_dim_z, block_dim_x, block_dim_y, block_dim_z,
                     shared_mem_bytes, stream, kernel_params);
               });
}

HAMI_EXPORT CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS* launch_params_list,
                                                          unsigned num_devices, unsigned flags) {
  if (is_paced() && launch_params_list != nullptr) {
    for (unsigned i = 0; i < num_devices; ++i) pay_for(launch_params_list[i]);
  }
  return driver<&CudaDriver::cuLaunchCooperativeKernelMultiDevice>(launch_params_list, num_devices, flags);
}

HAMI_EXPORT CUresult cuLaunch(CUfunction f) {
  return paced({.function = f}, nullptr, Door::legacy, Hold::by_samples,
               [=] { return driver<&CudaDriver::cuLaunch>(f); });
}

HAMI_EXPORT CUresult cuLaunchGrid(CUfunction f, int grid_width, int grid_height) {
  const auto width = static_cast<unsigned>(grid_width);
  const auto height = static_cast<unsigned>(grid_height);
  return paced({.function = f, .grid = {width, height, 1}}, nullptr, Door::legacy, Hold::by_samples,
               [=] { return driver<&CudaDriver::cuLaunchGrid>(f, grid_width, grid_height); });
}

HAMI_EXPORT CUresult cuLaunchGridAsync(CUfunction f, int grid_width, int grid_height, CUstream stream) {
  const auto width = static_cast<unsigned>(grid_width);
  const auto height = static_cast<unsigned>(grid_height);
  return paced({.function = f, .grid = {width, height, 1}}, stream, Door::legacy, Hold::by_samples,
               [=] { return driver<&CudaDriver::cuLaunchGridAsync>(f, grid_width, grid_height, stream); });
}
