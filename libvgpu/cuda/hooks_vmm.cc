// Virtual memory management: memory is taken when a handle is created, and lives until the handle is released
// and every mapping of it is removed. Addresses alone cost nothing.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

void refund(const PhysicalMemory::Freed& freed) noexcept {
  if (freed.bytes != 0) g_process.account.refund(freed.device, freed.bytes);
}

// Creates a handle whose memory is on the container's device `device`.
template <typename Call>
CUresult create_on(unsigned device, CUmemGenericAllocationHandle* handle, std::uint64_t size,
                   Call call) noexcept {
  Reservation reservation = reserve(device, size);
  if (!reservation) return refusal(reservation);
  const CUresult status = call();
  if (status != CUDA_SUCCESS) return status;
  if (!g_process.physical.create(*handle, device, size)) {
    driver<&CudaDriver::cuMemRelease>(*handle);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  reservation.commit();
  return CUDA_SUCCESS;
}

// Memory that another process was charged for; followed all the same, since handles may be equal to ours
// later.
CUresult adopt(CUresult status, const CUmemGenericAllocationHandle* handle) noexcept {
  if (status == CUDA_SUCCESS && mode() == Mode::on) g_process.physical.create(*handle, 0, 0);
  return status;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t size,
                                 const CUmemAllocationProp* prop, std::uint64_t flags) {
  const auto call = [=] { return driver<&CudaDriver::cuMemCreate>(handle, size, prop, flags); };
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  if (handle == nullptr || prop == nullptr) return call();
  if (prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE) return adopt(call(), handle);  // host memory
  const int device = device_index(prop->location.id);
  if (device >= 0) return create_on(static_cast<unsigned>(device), handle, size, call);
  CUuuid uuid = {};
  const bool exists =
      driver<&CudaDriver::cuDeviceGetUuid>(&uuid, CUdevice{prop->location.id}) == CUDA_SUCCESS;
  return exists ? kUnusable : call();
}

HAMI_EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  if (mode() != Mode::on) return driver<&CudaDriver::cuMemRelease>(handle);
  PhysicalMemory::Pending pending;
  g_process.physical.begin_release(handle, pending);
  const CUresult status = driver<&CudaDriver::cuMemRelease>(handle);
  if (status == CUDA_SUCCESS) {
    refund(g_process.physical.end_release(pending));
  } else {
    g_process.physical.restore_release(pending);
  }
  return status;
}

HAMI_EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* handle, void* addr) {
  const CUresult status = driver<&CudaDriver::cuMemRetainAllocationHandle>(handle, addr);
  if (status == CUDA_SUCCESS && mode() == Mode::on) {
    g_process.physical.retain(*handle, reinterpret_cast<std::uintptr_t>(addr));
  }
  return status;
}

HAMI_EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* handle, void* os_handle,
                                                    CUmemAllocationHandleType handle_type) {
  return adopt(driver<&CudaDriver::cuMemImportFromShareableHandle>(handle, os_handle, handle_type), handle);
}

HAMI_EXPORT CUresult cuMemMap(CUdeviceptr ptr, std::size_t size, std::size_t offset,
                              CUmemGenericAllocationHandle handle, std::uint64_t flags) {
  const CUresult status = driver<&CudaDriver::cuMemMap>(ptr, size, offset, handle, flags);
  if (status != CUDA_SUCCESS || mode() != Mode::on) return status;
  if (g_process.physical.map(ptr, size, handle)) return CUDA_SUCCESS;
  driver<&CudaDriver::cuMemUnmap>(ptr, size);
  return CUDA_ERROR_OUT_OF_MEMORY;
}

HAMI_EXPORT CUresult cuMemUnmap(CUdeviceptr ptr, std::size_t size) {
  if (mode() != Mode::on) return driver<&CudaDriver::cuMemUnmap>(ptr, size);
  PhysicalMemory::Pending pending;
  CUresult status = CUDA_ERROR_OUT_OF_MEMORY;
  if (g_process.physical.begin_unmap(ptr, size, pending)) status = driver<&CudaDriver::cuMemUnmap>(ptr, size);
  if (status == CUDA_SUCCESS) {
    g_process.physical.end_unmap(pending, refund);
  } else {
    g_process.physical.restore_unmap(pending);
  }
  return status;
}
