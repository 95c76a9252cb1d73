// Memory that another interface of the driver made, Vulkan for one: CUDA only learns its size. It is charged
// to whoever imports it, since no other count knows of it.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/export.h"

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuImportExternalMemory(CUexternalMemory* ext_mem_out,
                                            const CUDA_EXTERNAL_MEMORY_HANDLE_DESC* mem_handle_desc) {
  const auto call = [=] { return driver<&CudaDriver::cuImportExternalMemory>(ext_mem_out, mem_handle_desc); };
  if (mem_handle_desc == nullptr) return call();
  const std::uint64_t bytes = granule(mem_handle_desc->size);
  return make_on_current(Space::external_memory, bytes,
                         Making{call, [=] { return bytes; },
                                [=] { return std::uint64_t{reinterpret_cast<std::uintptr_t>(*ext_mem_out)}; },
                                [=] {
                                  driver<&CudaDriver::cuDestroyExternalMemory>(*ext_mem_out);
                                  *ext_mem_out = nullptr;
                                }});
}

HAMI_EXPORT CUresult cuDestroyExternalMemory(CUexternalMemory ext_mem) {
  return release(Space::external_memory, reinterpret_cast<std::uintptr_t>(ext_mem),
                 [=] { return driver<&CudaDriver::cuDestroyExternalMemory>(ext_mem); });
}
