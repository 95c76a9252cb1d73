// Virtual memory management: memory is taken when a handle is created, and lives until the handle is released
// and every mapping of it is removed. Addresses alone cost nothing.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kMapTiles = 1;  // CU_MEM_OPERATION_TYPE_MAP

void refund(const PhysicalMemory::Freed& freed) noexcept {
  if (freed.joint != 0) {
    g_process.joint.let_go(g_process.account, freed.joint - 1);
  } else if (freed.bytes != 0)
    g_process.account.refund(freed.device, freed.bytes);
}

// Creates a handle whose memory is on the container's device `device`.
template <typename Call>
CUresult create_on(unsigned device, CUmemGenericAllocationHandle* handle, std::uint64_t size,
                   Call call) noexcept {
  Reservation reservation = reserve(device, size);
  if (!reservation) return refusal(reservation);
  const CUresult status = with_room(device, call);
  if (status != CUDA_SUCCESS) return status;
  if (!g_process.physical.create(*handle, device, size)) {
    driver<&CudaDriver::cuMemRelease>(*handle);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  reservation.commit();
  return CUDA_SUCCESS;
}

// What has no memory of a card; followed all the same, since handles may be equal to ours later.
CUresult adopt(CUresult status, const CUmemGenericAllocationHandle* handle) noexcept {
  if (status == CUDA_SUCCESS && mode() == Mode::on) g_process.physical.create(*handle, 0, 0);
  return status;
}

constexpr int kDescriptor = 1;  // CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
constexpr int kFabric = 8;      // CU_MEM_HANDLE_TYPE_FABRIC: 64 bytes, which keep nothing alive

// What others told of that comes in a handle; 0: nothing.
std::uint64_t key_of_shareable(const void* os_handle, int type) noexcept {
  if (type == kFabric && os_handle != nullptr) return key_of_fabric_handle(os_handle);
  return type == kDescriptor ? key_of_descriptor(static_cast<int>(reinterpret_cast<std::intptr_t>(os_handle)))
                             : 0;
}

// Tells other processes of what is passed to them under `key`; `mark(piece)` makes what carries it tell of
// the piece.
template <typename Mark>
bool publish_new(CUmemGenericAllocationHandle handle, const PhysicalMemory::Freed& known, std::uint64_t key,
                 Mark mark) noexcept {
  JointMemory& joint = g_process.joint;
  const std::uint32_t piece = joint.publish(g_process.account, key, known.device, known.bytes);
  if (piece == JointMemory::kNone) return false;
  if (mark(piece) && g_process.physical.set_joint(handle, piece + 1)) return true;
  joint.retract(g_process.account, piece);
  return false;
}

bool publish_descriptor(CUmemGenericAllocationHandle handle, int fd) noexcept {
  PhysicalMemory::Freed known;
  if (!g_process.physical.look(handle, known)) return false;
  const auto stamp = [fd](std::uint32_t piece) {
    return g_process.joint.stamp(g_process.account, piece, fd);
  };
  if (known.joint != 0) return stamp(known.joint - 1);
  return publish_new(handle, known, g_process.account.new_key(), stamp);
}

// What others know by the key of a descriptor already has no second one.
bool publish_fabric(CUmemGenericAllocationHandle handle, const void* name) noexcept {
  PhysicalMemory::Freed known;
  if (!g_process.physical.look(handle, known)) return false;
  const std::uint64_t key = key_of_fabric_handle(name);
  if (known.joint != 0) return JointMemory::is_known_by(g_process.account, known.joint - 1, key);
  return publish_new(handle, known, key, [](std::uint32_t) { return true; });
}

bool publish(CUmemGenericAllocationHandle handle, int type, const void* out) noexcept {
  if (type == kDescriptor) return publish_descriptor(handle, *static_cast<const int*>(out));
  return type == kFabric && publish_fabric(handle, out);
}

// A call after which the memory may live on where this process cannot see it. What cannot be told to others
// stays charged until the process ends. Noted before the call, because another thread may release the handle
// the moment the driver is done.
template <typename Call>
CUresult share_handle(CUmemGenericAllocationHandle handle, int type, const void* out, Call call) noexcept {
  if (mode() != Mode::on) return call();
  g_process.physical.keep(handle);
  const CUresult status = call();
  const bool is_told = status == CUDA_SUCCESS && publish(handle, type, out);
  if (status != CUDA_SUCCESS || is_told) g_process.physical.undo_keep(handle);
  return status;
}

// Memory of another container: charged as far as it is mapped.
void follow_foreign(CUmemGenericAllocationHandle handle) noexcept {
  CUmemAllocationProp prop = {};
  const bool is_known =
      driver<&CudaDriver::cuMemGetAllocationPropertiesFromHandle>(&prop, handle) == CUDA_SUCCESS &&
      prop.location.type == CU_MEM_LOCATION_TYPE_DEVICE;
  const int device = is_known ? device_index(prop.location.id) : -1;
  g_process.physical.create(handle, 0, 0);
  if (device >= 0) g_process.physical.make_foreign(handle, static_cast<unsigned>(device));
  // A multicast object of others keeps what we bind to it, also without us.
  if (device < 0) g_process.physical.keep(handle);
}

// Held before it is imported: whoever lets go meanwhile must see us.
template <typename Call>
CUresult import_handle(CUmemGenericAllocationHandle* handle, std::uint64_t key, Call call) noexcept {
  JointMemory& joint = g_process.joint;
  const std::uint32_t piece = joint.join(g_process.account, key);
  const bool is_told = piece != JointMemory::kNone;
  const bool has_bytes = is_told && JointMemory::bytes(g_process.account, piece) != 0;
  const CUresult status = call();
  if (is_told && (status != CUDA_SUCCESS || !has_bytes)) joint.let_go(g_process.account, piece);
  if (status != CUDA_SUCCESS) return status;
  if (!is_told) {
    follow_foreign(*handle);
  } else if (g_process.physical.create(*handle, 0, 0)) {
    if (has_bytes) g_process.physical.set_joint(*handle, piece + 1);
    if (!has_bytes) g_process.physical.keep(*handle);
  }
  return status;
}

// Maps through call(); of memory of another container more may be seen than before.
template <typename Call>
CUresult map_seen(CUmemGenericAllocationHandle handle, std::uint64_t end, Call call) noexcept {
  unsigned device = 0;
  const std::uint64_t growth = g_process.physical.growth(handle, end, device);
  if (growth == 0) return call();
  Reservation reservation = reserve(device, growth);
  if (!reservation) return refusal(reservation);
  const CUresult status = call();
  if (status != CUDA_SUCCESS) return status;
  reservation.commit();
  g_process.physical.grow_to(handle, end);
  return status;
}

// The driver bound a piece to a multicast object, or refused to.
CUresult end_bind(std::uint64_t number, CUresult status) noexcept {
  if (number == 0) return status;
  if (status == CUDA_SUCCESS) {
    g_process.physical.keep_bound(number);
  } else {
    g_process.physical.end_unbind(number, refund);
  }
  return status;
}

// Tiles of a sparse array that are bound to a handle keep its memory alive, and nothing says how many are
// left.
template <typename Call>
CUresult map_tiles(const CUarrayMapInfo* list, unsigned count, Call call) noexcept {
  if (mode() != Mode::on || list == nullptr) return call();
  const auto each_bound = [=](void (PhysicalMemory::*note)(std::uint64_t) noexcept) {
    for (unsigned i = 0; i < count; ++i) {
      if (list[i].memOperationType == kMapTiles) (g_process.physical.*note)(list[i].memHandle);
    }
  };
  each_bound(&PhysicalMemory::keep);
  const CUresult status = call();
  if (status != CUDA_SUCCESS) each_bound(&PhysicalMemory::undo_keep);
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
    g_process.physical.end_orphans(refund);
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
  const auto call = [=] {
    return driver<&CudaDriver::cuMemImportFromShareableHandle>(handle, os_handle, handle_type);
  };
  if (mode() == Mode::unusable) return kUnusable;
  if (mode() == Mode::off || handle == nullptr) return call();
  return import_handle(handle, key_of_shareable(os_handle, static_cast<int>(handle_type)), call);
}

HAMI_EXPORT CUresult cuMemMap(CUdeviceptr ptr, std::size_t size, std::size_t offset,
                              CUmemGenericAllocationHandle handle, std::uint64_t flags) {
  const auto call = [=] { return driver<&CudaDriver::cuMemMap>(ptr, size, offset, handle, flags); };
  if (mode() != Mode::on) return call();
  const CUresult status = map_seen(handle, offset + size, call);
  if (status != CUDA_SUCCESS || g_process.physical.map(ptr, size, handle)) return status;
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
    g_process.physical.end_orphans(refund);
  } else {
    g_process.physical.restore_unmap(pending);
  }
  return status;
}

HAMI_EXPORT CUresult cuMemExportToShareableHandle(void* shareable_handle, CUmemGenericAllocationHandle handle,
                                                  CUmemAllocationHandleType handle_type,
                                                  std::uint64_t flags) {
  return share_handle(handle, static_cast<int>(handle_type), shareable_handle, [=] {
    return driver<&CudaDriver::cuMemExportToShareableHandle>(shareable_handle, handle, handle_type, flags);
  });
}

HAMI_EXPORT CUresult cuMulticastCreate(CUmemGenericAllocationHandle* mc_handle,
                                       const CUmulticastObjectProp* prop) {
  return adopt(driver<&CudaDriver::cuMulticastCreate>(mc_handle, prop), mc_handle);
}

HAMI_EXPORT CUresult cuMulticastBindMem(CUmemGenericAllocationHandle mc_handle, std::size_t mc_offset,
                                        CUmemGenericAllocationHandle mem_handle, std::size_t mem_offset,
                                        std::size_t size, std::uint64_t flags) {
  const auto call = [=] {
    return driver<&CudaDriver::cuMulticastBindMem>(mc_handle, mc_offset, mem_handle, mem_offset, size, flags);
  };
  if (mode() != Mode::on) return call();
  const std::uint64_t number = g_process.physical.begin_bind(mc_handle, mc_offset, size, mem_handle, 0);
  const CUresult status = end_bind(number, call());
  if (status != CUDA_SUCCESS && number == 0) g_process.physical.undo_keep(mem_handle);
  return status;
}

HAMI_EXPORT CUresult cuMulticastBindAddr(CUmemGenericAllocationHandle mc_handle, std::size_t mc_offset,
                                         CUdeviceptr memptr, std::size_t size, std::uint64_t flags) {
  const auto call = [=] {
    return driver<&CudaDriver::cuMulticastBindAddr>(mc_handle, mc_offset, memptr, size, flags);
  };
  if (mode() != Mode::on) return call();
  const std::uint64_t number = g_process.physical.begin_bind(mc_handle, mc_offset, size, 0, memptr);
  const CUresult status = end_bind(number, call());
  if (status != CUDA_SUCCESS && number == 0) g_process.physical.undo_keep_at(memptr);
  return status;
}

HAMI_EXPORT CUresult cuMulticastUnbind(CUmemGenericAllocationHandle mc_handle, CUdevice dev,
                                       std::size_t mc_offset, std::size_t size) {
  const auto call = [=] { return driver<&CudaDriver::cuMulticastUnbind>(mc_handle, dev, mc_offset, size); };
  const int device = mode() == Mode::on ? device_index(dev) : -1;
  if (device < 0) return call();
  PhysicalMemory& physical = g_process.physical;
  const std::uint64_t number =
      physical.begin_unbind(mc_handle, static_cast<unsigned>(device), mc_offset, size);
  const CUresult status = call();
  if (status == CUDA_SUCCESS) {
    physical.end_unbind(number, refund);
  } else {
    physical.keep_bound(number);
  }
  return status;
}

HAMI_EXPORT CUresult cuMemMapArrayAsync(CUarrayMapInfo* map_info_list, unsigned count, CUstream stream) {
  return map_tiles(map_info_list, count,
                   [=] { return driver<&CudaDriver::cuMemMapArrayAsync>(map_info_list, count, stream); });
}

HAMI_EXPORT CUresult cuMemMapArrayAsync_ptsz(CUarrayMapInfo* map_info_list, unsigned count, CUstream stream) {
  return map_tiles(map_info_list, count, [=] {
    return driver<&CudaDriver::cuMemMapArrayAsync_ptsz>(map_info_list, count, stream);
  });
}
