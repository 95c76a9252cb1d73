#include "libvgpu/cuda/stand_in.h"

#include <cstdlib>
#include <cstring>

#include "libvgpu/core/log.h"
#include "libvgpu/core/process.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kAttachGlobal = 1;  // CU_MEM_ATTACH_GLOBAL

// Words as HAMi-core's users write them.
bool is_yes(const char* text) noexcept {
  if (text == nullptr) return false;
  for (const char* word : {"true", "TRUE", "True", "1", "on", "yes"}) {
    if (std::strcmp(text, word) == 0) return true;
  }
  return false;
}

// A program cannot ask for itself what its slice does not give.
bool may_stand_in() noexcept {
  switch (g_process.limits.source()) {
    case LimitSource::slice:
      return (g_process.limits.slice().flags & abi::kSliceOversubscribe) != 0;
    case LimitSource::environment:
      return is_yes(::secure_getenv("CUDA_OVERSUBSCRIBE"));
    default:
      return false;
  }
}

}  // namespace

CUresult stand_in(CUresult status, CUdeviceptr* ptr, std::size_t bytes) noexcept {
  if (status != CUDA_ERROR_OUT_OF_MEMORY || !may_stand_in()) return status;
  if (driver<&CudaDriver::cuMemAllocManaged>(ptr, bytes, kAttachGlobal) != CUDA_SUCCESS) return status;
  log(LogLevel::warning, "the card is full: managed memory stands in for ", std::uint64_t{bytes},
      " bytes of device memory");
  return CUDA_SUCCESS;
}

}  // namespace hami::vgpu
