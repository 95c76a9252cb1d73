// Multicast objects: one address that reaches memory on each of several devices. An object owns no memory;
// what is bound to it lives until it is unbound or the object ends.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/physical.h"

namespace hami::sim {
namespace {

bool is_whole(std::uint64_t size) { return size != 0 && size % kBlock == 0; }

CUresult check_prop(const CUmulticastObjectProp* prop) {
  if (prop == nullptr || prop->flags != 0 || !is_whole(prop->size)) return CUDA_ERROR_INVALID_VALUE;
  const auto devices = static_cast<unsigned>(visible_devices());
  return prop->numDevices >= 1 && prop->numDevices <= devices ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Under the lock.
Physical* find_object(std::uint64_t handle) {
  Physical* object = find_physical(handle);
  return object != nullptr && object->references != 0 && object->team != 0 ? object : nullptr;
}

CUresult create(std::uint64_t& handle, const CUmulticastObjectProp& prop) {
  Physical like = {};
  like.size = prop.size;
  like.device = kOnHost;
  like.team = prop.numDevices;
  like.prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  like.prop.requestedHandleTypes = static_cast<unsigned>(prop.handleTypes);
  return add_physical(like, handle);
}

CUresult add_device(std::uint64_t handle, std::uint32_t device) {
  const SpinGuard guard(physical_lock);
  Physical* object = find_object(handle);
  if (object == nullptr || object->member_count == object->team) return CUDA_ERROR_INVALID_VALUE;
  if ((object->members & (1U << device)) != 0) return CUDA_ERROR_INVALID_VALUE;
  object->members |= 1U << device;
  ++object->member_count;
  return CUDA_SUCCESS;
}

bool is_bound(const Physical& object, std::uint32_t device, std::uint64_t offset, std::uint64_t size) {
  for (const Binding* at = object.bindings; at != nullptr; at = at->next) {
    if (at->memory->device == device && offset < at->offset + at->size && at->offset < offset + size)
      return true;
  }
  return false;
}

bool is_within(std::uint64_t offset, std::uint64_t size, std::uint64_t whole) {
  return offset % kBlock == 0 && is_whole(size) && offset <= whole && size <= whole - offset;
}

// Under the lock.
CUresult bind(Physical* object, std::uint64_t offset, Physical* memory, std::uint64_t size) {
  if (object == nullptr || memory == nullptr || memory->team != 0) return CUDA_ERROR_INVALID_VALUE;
  if (object->member_count != object->team) return CUDA_ERROR_NOT_PERMITTED;  // not complete yet
  if (memory->device == kOnHost || (object->members & (1U << memory->device)) == 0)
    return CUDA_ERROR_INVALID_DEVICE;
  if (!is_within(offset, size, object->size) || is_bound(*object, memory->device, offset, size))
    return CUDA_ERROR_INVALID_VALUE;
  auto* made = static_cast<Binding*>(calloc(1, sizeof(Binding)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *made = {offset, size, memory, object->bindings};
  object->bindings = made;
  ++memory->maps;
  return CUDA_SUCCESS;
}

CUresult unbind(std::uint64_t handle, std::uint32_t device, std::uint64_t offset, std::uint64_t size) {
  const SpinGuard guard(physical_lock);
  Physical* object = find_object(handle);
  if (object == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (Binding** link = &object->bindings; *link != nullptr; link = &(*link)->next) {
    Binding* gone = *link;
    if (gone->memory->device != device || gone->offset != offset || gone->size != size) continue;
    *link = gone->next;
    --gone->memory->maps;
    drop_if_unused(gone->memory);
    free(gone);
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuMulticastCreate(CUmemGenericAllocationHandle* handle, const CUmulticastObjectProp* prop) {
  SIM_ENTER(cuMulticastCreate);
  if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_TRY(check_prop(prop));
  return create(*handle, *prop);
}

CUresult cuMulticastAddDevice(CUmemGenericAllocationHandle handle, CUdevice dev) {
  SIM_ENTER(cuMulticastAddDevice);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return add_device(handle, state_index(dev));
}

CUresult cuMulticastBindMem(CUmemGenericAllocationHandle handle, std::size_t offset,
                            CUmemGenericAllocationHandle memory, std::size_t memory_offset, std::size_t size,
                            std::uint64_t flags) {
  SIM_ENTER(cuMulticastBindMem);
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(physical_lock);
  Physical* found = find_physical(memory);
  if (found == nullptr || found->references == 0 || !is_within(memory_offset, size, found->size))
    return CUDA_ERROR_INVALID_VALUE;
  return bind(find_object(handle), offset, found, size);
}

CUresult cuMulticastBindAddr(CUmemGenericAllocationHandle handle, std::size_t offset, CUdeviceptr address,
                             std::size_t size, std::uint64_t flags) {
  SIM_ENTER(cuMulticastBindAddr);
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(physical_lock);
  return bind(find_object(handle), offset, find_physical_at(address), size);
}

CUresult cuMulticastUnbind(CUmemGenericAllocationHandle handle, CUdevice dev, std::size_t offset,
                           std::size_t size) {
  SIM_ENTER(cuMulticastUnbind);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return unbind(handle, state_index(dev), offset, size);
}

CUresult cuMulticastGetGranularity(std::size_t* granularity, const CUmulticastObjectProp* prop,
                                   CUmulticastGranularity_flags) {
  SIM_ENTER(cuMulticastGetGranularity);
  if (granularity == nullptr || prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *granularity = kBlock;
  return CUDA_SUCCESS;
}
}
