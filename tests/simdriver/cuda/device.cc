// Devices: names, numbers and sizes.
#include <stdio.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/driver.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/module.h"

namespace hami::sim {
namespace {

// The attributes whose value is the same for every simulated card. Source: CUDA driver API,
// CUdevice_attribute.
struct Constant {
  int attribute;
  int value;
};
constexpr Constant kConstants[] = {
    {1, 1024},     {2, 1024},  {3, 1024},       {4, 64},     {5, 2147483647},  {6, 65535},
    {7, 65535},    {8, 49152}, {9, 65536},      {10, 32},    {11, 2147483647}, {12, 65536},
    {13, 1410000}, {14, 512},  {15, 1},         {17, 0},     {19, 1},          {31, 1},
    {32, 1},       {35, 0},    {36, 1215000},   {37, 5120},  {38, 41943040},   {40, 3},
    {41, 1},       {78, 1},    {79, 1},         {80, 1},     {81, 167936},     {82, 65536},
    {83, 1},       {84, 0},    {86, 1},         {87, 2},     {88, 0},          {89, 1},
    {90, 1},       {91, 1},    {92, 1},         {93, 1},     {94, 1},          {95, 1},
    {97, 166912},  {99, 1},    {100, 0},        {101, 0},    {102, 1},         {103, 1},
    {106, 32},     {107, 1},   {108, 26214400}, {111, 1024}, {112, 1},         {115, 1},
    {116, 1},      {117, 1},   {118, 3},        {119, 1},    {124, 0},         {128, 1},
    {132, 0},
};

int bus_part(const Device& device, int part) {
  unsigned values[4] = {};
  sscanf(device.bus_id, "%x:%x:%x.%x", &values[0], &values[1], &values[2], &values[3]);
  return static_cast<int>(values[part]);
}

CUresult attribute(const Device& device, int attribute, int& out) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      out = static_cast<int>(device.multiprocessors);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_INTEGRATED:
      out = static_cast<int>(device.integrated);
      return CUDA_SUCCESS;
    case 20:
      out = static_cast<int>(device.compute_mode);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
      out = bus_part(device, 1);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID:
      out = bus_part(device, 2);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID:
      out = bus_part(device, 0);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
      out = static_cast<int>(device.threads_per_multiprocessor);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      out = static_cast<int>(device.compute_major);
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      out = static_cast<int>(device.compute_minor);
      return CUDA_SUCCESS;
    default:
      break;
  }
  out = 0;
  for (const Constant& constant : kConstants) {
    if (constant.attribute == attribute) out = constant.value;
  }
  return attribute > 0 && attribute < 150 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void uuid_bytes(const char* text, unsigned char (&out)[16]) {
  text += 4;  // "GPU-"
  for (std::size_t i = 0; i < sizeof out; ++i) {
    if (*text == '-') ++text;
    unsigned value = 0;
    sscanf(text, "%2x", &value);
    out[i] = static_cast<unsigned char>(value);
    text += 2;
  }
}

CUresult copy_text(char* out, int length, const char* text) {
  if (out == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
  snprintf(out, static_cast<std::size_t>(length), "%s", text);
  return CUDA_SUCCESS;
}

CUresult uuid_of(CUuuid* uuid, CUdevice device) {
  if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
  uuid_bytes(device_of(device).uuid, uuid->bytes);
  return CUDA_SUCCESS;
}

std::uint64_t capacity(CUdevice device) {
  return device_of(device).total_bytes - device_of(device).reserved_bytes;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuDeviceGetCount(int* count) {
  SIM_ENTER(cuDeviceGetCount);
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = visible_devices();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  SIM_ENTER(cuDeviceGet);
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(ordinal)) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int len, CUdevice dev) {
  SIM_ENTER(cuDeviceGetName);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return copy_text(name, len, device_of(dev).name);
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice dev) {
  SIM_ENTER(cuDeviceGetUuid);
  const CUresult result = uuid_of(uuid, dev);
  // The first form knows no instances.
  if (result == CUDA_SUCCESS && device_of(dev).instance_of != 0)
    uuid_bytes(state().devices[device_of(dev).instance_of - 1].uuid, uuid->bytes);
  return result;
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
  SIM_ENTER(cuDeviceGetUuid_v2);
  return uuid_of(uuid, dev);
}

CUresult cuDeviceGetLuid(char*, unsigned*, CUdevice) {
  SIM_ENTER(cuDeviceGetLuid);
  return CUDA_ERROR_NOT_SUPPORTED;  // Windows only
}

CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice dev) {
  SIM_ENTER(cuDeviceTotalMem_v2);
  if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = capacity(dev);
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(unsigned* bytes, CUdevice dev) {
  SIM_ENTER(cuDeviceTotalMem);
  if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = capacity(dev) > UINT32_MAX ? UINT32_MAX : static_cast<unsigned>(capacity(dev));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* pi, CUdevice_attribute attrib, CUdevice dev) {
  SIM_ENTER(cuDeviceGetAttribute);
  if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return attribute(device_of(dev), attrib, *pi);
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice dev) {
  SIM_ENTER(cuDeviceComputeCapability);
  if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  *major = static_cast<int>(device_of(dev).compute_major);
  *minor = static_cast<int>(device_of(dev).compute_minor);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char* pci_bus_id, int len, CUdevice dev) {
  SIM_ENTER(cuDeviceGetPCIBusId);
  if (!is_device(dev)) return CUDA_ERROR_INVALID_DEVICE;
  return copy_text(pci_bus_id, len, device_of(dev).bus_id);
}

CUresult cuDeviceGetByPCIBusId(CUdevice* dev, const char* pci_bus_id) {
  SIM_ENTER(cuDeviceGetByPCIBusId);
  if (dev == nullptr || pci_bus_id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (CUdevice i = 0; i < visible_devices(); ++i) {
    if (strcasecmp(device_of(i).bus_id, pci_bus_id) != 0) continue;
    *dev = i;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceCanAccessPeer(int* can, CUdevice dev, CUdevice peer) {
  SIM_ENTER(cuDeviceCanAccessPeer);
  if (can == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(dev) || !is_device(peer)) return CUDA_ERROR_INVALID_DEVICE;
  *can = dev != peer ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute, CUdevice src, CUdevice dst) {
  SIM_ENTER(cuDeviceGetP2PAttribute);
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_device(src) || !is_device(dst) || src == dst) return CUDA_ERROR_INVALID_DEVICE;
  *value = 1;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
  SIM_ENTER(cuModuleGetLoadingMode);
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = static_cast<CUmoduleLoadingMode>(loads_eagerly() ? 1 : 2);
  return CUDA_SUCCESS;
}
}
