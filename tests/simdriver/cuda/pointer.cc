// What the driver says about a pointer.
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"

namespace hami::sim {
namespace {

constexpr unsigned kHostMemory = 1;
constexpr unsigned kDeviceMemory = 2;

CUdevice ordinal_of(std::uint32_t device) {
  for (CUdevice i = 0; i < visible_devices(); ++i) {
    if (state_index(i) == device) return i;
  }
  return -1;
}

template <typename Value>
CUresult put(void* data, Value value) {
  memcpy(data, &value, sizeof value);
  return CUDA_SUCCESS;
}

CUresult attribute_of(const Allocation& allocation, int attribute, CUdeviceptr pointer, void* data) {
  const bool host = allocation.kind == Kind::host || allocation.kind == Kind::registered;
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      return put(data, handle_of(allocation.context));
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return put(data, host ? kHostMemory : kDeviceMemory);
    case 3:
      return put(data, pointer);  // as the device sees it
    case 4:
      return host ? put(data, pointer) : CUDA_ERROR_INVALID_VALUE;
    case 7:
      return put(data, allocation.address);  // buffer id: unique while it lives
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      return put(data, allocation.kind == Kind::managed ? 1U : 0U);
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return put(data, ordinal_of(allocation.device));
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return put(data, allocation.address);
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      return put(data, std::size_t{allocation.size});
    case CU_POINTER_ATTRIBUTE_MAPPED:
      return put(data, 1U);
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return put(data, allocation.kind == Kind::pool ? allocation.owner : nullptr);
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult attributes_of(unsigned count, const CUpointer_attribute* attributes, void** data,
                       CUdeviceptr pointer) {
  if (attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Allocation allocation;
  const bool known = find_around(pointer, allocation);
  for (unsigned i = 0; i < count; ++i) {
    if (known) {
      SIM_TRY(attribute_of(allocation, attributes[i], pointer, data[i]));
    } else {
      put(data[i], 0U);  // an unknown pointer is no error here: its attributes are zero
    }
  }
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr ptr) {
  SIM_ENTER(cuPointerGetAttribute);
  if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Allocation allocation;
  if (!find_around(ptr, allocation)) return CUDA_ERROR_INVALID_VALUE;
  return attribute_of(allocation, attribute, ptr, data);
}

CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute* attributes, void** data,
                                CUdeviceptr ptr) {
  SIM_ENTER(cuPointerGetAttributes);
  return attributes_of(count, attributes, data, ptr);
}

CUresult cuPointerSetAttribute(const void* value, CUpointer_attribute, CUdeviceptr ptr) {
  SIM_ENTER(cuPointerSetAttribute);
  Allocation allocation;
  return value != nullptr && find_around(ptr, allocation) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
}
