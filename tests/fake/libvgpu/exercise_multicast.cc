// Scenarios of multicast objects: what is bound to one lives without its handle, and stays charged.
#include "tests/fake/libvgpu/exercise.h"

namespace hami::exercise {
namespace {

CUmemGenericAllocationHandle make_object(std::size_t size) {
  CUmulticastObjectProp prop = {};
  prop.numDevices = 1;
  prop.size = size;
  CUmemGenericAllocationHandle object = 0;
  step("object", cuda.cuMulticastCreate(&object, &prop));
  return object;
}

CUmemGenericAllocationHandle make_memory(std::size_t size) {
  const CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  CUmemGenericAllocationHandle handle = 0;
  step("create", cuda.cuMemCreate(&handle, size, &prop, 0));
  return handle;
}

void bound_by_handle() {
  create();
  const CUmemGenericAllocationHandle object = make_object(600 * kMiB);
  const CUmemGenericAllocationHandle memory = make_memory(600 * kMiB);
  step("bind too early", cuda.cuMulticastBindMem(object, 0, memory, 0, 600 * kMiB, 0));
  step("add", cuda.cuMulticastAddDevice(object, device));
  step("add again", cuda.cuMulticastAddDevice(object, device));
  step("bind", cuda.cuMulticastBindMem(object, 0, memory, 0, 600 * kMiB, 0));
  step("bind again", cuda.cuMulticastBindMem(object, 0, memory, 0, 600 * kMiB, 0));
  step("release", cuda.cuMemRelease(memory));
  CUmemGenericAllocationHandle more = 0;
  const CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  step("create too much", cuda.cuMemCreate(&more, 600 * kMiB, &prop, 0));
}

void bound_by_address() {
  create();
  const CUmemGenericAllocationHandle object = make_object(600 * kMiB);
  const CUmemGenericAllocationHandle memory = make_memory(600 * kMiB);
  CUdeviceptr address = 0;
  step("add", cuda.cuMulticastAddDevice(object, device));
  step("reserve", cuda.cuMemAddressReserve(&address, 600 * kMiB, 0, 0, 0));
  step("bind what is not mapped", cuda.cuMulticastBindAddr(object, 0, address, 600 * kMiB, 0));
  step("map", cuda.cuMemMap(address, 600 * kMiB, 0, memory, 0));
  step("bind", cuda.cuMulticastBindAddr(object, 0, address, 600 * kMiB, 0));
  step("release", cuda.cuMemRelease(memory));
  step("unmap", cuda.cuMemUnmap(address, 600 * kMiB));
  CUdeviceptr more = 0;
  step("alloc too much", cuda.cuMemAlloc_v2(&more, 600 * kMiB));
}

// The object itself is mapped and released like memory, and costs none.
void object_alone() {
  create();
  const CUmemGenericAllocationHandle object = make_object(600 * kMiB);
  CUdeviceptr address = 0;
  step("reserve", cuda.cuMemAddressReserve(&address, 600 * kMiB, 0, 0, 0));
  step("map", cuda.cuMemMap(address, 600 * kMiB, 0, object, 0));
  step("release", cuda.cuMemRelease(object));
  step("unmap", cuda.cuMemUnmap(address, 600 * kMiB));
  step("release again", cuda.cuMemRelease(object));
  CUdeviceptr all = 0;
  step("all", cuda.cuMemAlloc_v2(&all, 1000 * kMiB));
}

// Nothing was bound: the memory ends with its handle.
void not_bound() {
  create();
  const CUmemGenericAllocationHandle object = make_object(600 * kMiB);
  const CUmemGenericAllocationHandle memory = make_memory(600 * kMiB);
  step("add", cuda.cuMulticastAddDevice(object, device));
  step("bind beyond its end", cuda.cuMulticastBindMem(object, 300 * kMiB, memory, 0, 600 * kMiB, 0));
  step("unbind what is not bound", cuda.cuMulticastUnbind(object, device, 0, 600 * kMiB));
  step("release", cuda.cuMemRelease(memory));
  step("release the object", cuda.cuMemRelease(object));
}

// What is bound lives until it is unbound, or until the object is gone, whichever way that goes.
void unbound_again() {
  create();
  const CUmemGenericAllocationHandle object = make_object(600 * kMiB);
  step("add", cuda.cuMulticastAddDevice(object, device));
  const CUmemGenericAllocationHandle first = make_memory(300 * kMiB);
  const CUmemGenericAllocationHandle second = make_memory(300 * kMiB);
  step("bind first", cuda.cuMulticastBindMem(object, 0, first, 0, 300 * kMiB, 0));
  step("bind second", cuda.cuMulticastBindMem(object, 300 * kMiB, second, 0, 300 * kMiB, 0));
  step("release first", cuda.cuMemRelease(first));
  step("unbind nothing", cuda.cuMulticastUnbind(object, device, 2 * kMiB, 2 * kMiB));
  step("unbind first", cuda.cuMulticastUnbind(object, device, 0, 300 * kMiB));
  step("unbind second", cuda.cuMulticastUnbind(object, device, 300 * kMiB, 300 * kMiB));
  step("bind again", cuda.cuMulticastBindMem(object, 0, second, 0, 300 * kMiB, 0));
  step("release second", cuda.cuMemRelease(second));
  CUdeviceptr address = 0;
  step("reserve", cuda.cuMemAddressReserve(&address, 600 * kMiB, 0, 0, 0));
  step("map object", cuda.cuMemMap(address, 600 * kMiB, 0, object, 0));
  step("release object", cuda.cuMemRelease(object));
  step("unmap object", cuda.cuMemUnmap(address, 600 * kMiB));
}

}  // namespace

const Scenario kMulticastScenarios[] = {
    {"multicast-handle", bound_by_handle}, {"multicast-address", bound_by_address},
    {"multicast-object", object_alone},    {"multicast-unbound", not_bound},
    {"multicast-unbind", unbound_again},   {nullptr, nullptr}};

}  // namespace hami::exercise
