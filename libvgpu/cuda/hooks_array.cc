// Arrays and mipmapped arrays: tiled memory whose true size only the driver knows.
#include "libvgpu/cuda/array_size.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

std::uint64_t name_of(const void* handle) noexcept { return reinterpret_cast<std::uintptr_t>(handle); }

// The driver's word for what an object takes, or the estimate where it has none: before CUDA 11.6.
template <typename Ask>
std::uint64_t required(std::uint64_t estimate, Ask ask) noexcept {
  CUdevice ordinal = 0;
  CUDA_ARRAY_MEMORY_REQUIREMENTS needs = {};
  if (driver<&CudaDriver::cuCtxGetDevice>(&ordinal) != CUDA_SUCCESS || ask(&needs, ordinal) != CUDA_SUCCESS ||
      needs.size == 0) {
    return estimate;
  }
  return granule(needs.size);
}

// bytes == 0: sparse and deferred arrays, whose memory comes from elsewhere.
template <typename Call>
CUresult create_array(CUarray* out, std::uint64_t bytes, Call call) noexcept {
  if (bytes == 0) return mode() == Mode::unusable ? kUnusable : call();
  const auto settled = [out, bytes] {
    return required(bytes, [out](auto* needs, CUdevice ordinal) {
      return driver<&CudaDriver::cuArrayGetMemoryRequirements>(needs, *out, ordinal);
    });
  };
  return make_on_current(Space::array, bytes,
                         Making{call, settled, [out] { return name_of(*out); },
                                [out] { driver<&CudaDriver::cuArrayDestroy>(*out); }});
}

template <typename Descriptor>
std::uint64_t estimate(const Descriptor* descriptor) noexcept {
  return descriptor != nullptr ? array_bytes(widen(*descriptor)) : 0;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuArrayCreate_v2(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR* allocate_array) {
  return create_array(handle, estimate(allocate_array),
                      [=] { return driver<&CudaDriver::cuArrayCreate_v2>(handle, allocate_array); });
}

HAMI_EXPORT CUresult cuArrayCreate(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR_v1* allocate_array) {
  return create_array(handle, estimate(allocate_array),
                      [=] { return driver<&CudaDriver::cuArrayCreate>(handle, allocate_array); });
}

HAMI_EXPORT CUresult cuArray3DCreate_v2(CUarray* handle, const CUDA_ARRAY3D_DESCRIPTOR* allocate_array) {
  return create_array(handle, allocate_array != nullptr ? array_bytes(*allocate_array) : 0,
                      [=] { return driver<&CudaDriver::cuArray3DCreate_v2>(handle, allocate_array); });
}

HAMI_EXPORT CUresult cuArray3DCreate(CUarray* handle, const CUDA_ARRAY3D_DESCRIPTOR_v1* allocate_array) {
  return create_array(handle, estimate(allocate_array),
                      [=] { return driver<&CudaDriver::cuArray3DCreate>(handle, allocate_array); });
}

HAMI_EXPORT CUresult cuArrayDestroy(CUarray h_array) {
  return release(Space::array, name_of(h_array),
                 [=] { return driver<&CudaDriver::cuArrayDestroy>(h_array); });
}

HAMI_EXPORT CUresult cuMipmappedArrayCreate(CUmipmappedArray* handle,
                                            const CUDA_ARRAY3D_DESCRIPTOR* descriptor, unsigned levels) {
  const auto call = [=] { return driver<&CudaDriver::cuMipmappedArrayCreate>(handle, descriptor, levels); };
  const std::uint64_t bytes = descriptor != nullptr ? mipmap_bytes(*descriptor, levels) : 0;
  if (bytes == 0) return mode() == Mode::unusable ? kUnusable : call();
  const auto settled = [handle, bytes] {
    return required(bytes, [handle](auto* needs, CUdevice ordinal) {
      return driver<&CudaDriver::cuMipmappedArrayGetMemoryRequirements>(needs, *handle, ordinal);
    });
  };
  return make_on_current(Space::mipmap, bytes,
                         Making{call, settled, [handle] { return name_of(*handle); },
                                [handle] { driver<&CudaDriver::cuMipmappedArrayDestroy>(*handle); }});
}

HAMI_EXPORT CUresult cuMipmappedArrayDestroy(CUmipmappedArray h_mipmapped_array) {
  return release(Space::mipmap, name_of(h_mipmapped_array),
                 [=] { return driver<&CudaDriver::cuMipmappedArrayDestroy>(h_mipmapped_array); });
}
