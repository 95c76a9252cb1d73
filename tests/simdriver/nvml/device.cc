// What NVML tells of a card besides memory and processes. Values that the simulation does not model are those
// of an idle card.
#include <stdio.h>

#include "tests/simdriver/nvml/nvml.h"

namespace hami::sim {
namespace {

constexpr unsigned kIdleCelsius = 34;
constexpr unsigned kIdleMilliwatts = 52000;
constexpr unsigned kBusyMilliwatts = 250000;
constexpr unsigned kMostInstances = 7;

nvmlReturn_t pci_info(nvmlDevice_t handle, nvmlPciInfo_t* pci) {
  NVML_DEVICE(found, handle);
  if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *pci = {};
  unsigned function = 0;
  sscanf(found.device->bus_id, "%x:%x:%x.%x", &pci->domain, &pci->bus, &pci->device, &function);
  snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffffU,
           pci->bus & 0xffU, pci->device & 0xffU);
  snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus & 0xffU,
           pci->device & 0xffU);
  pci->pciDeviceId = found.device->pci_device_id;
  pci->pciSubSystemId = 0x134f10de;
  return NVML_SUCCESS;
}

nvmlReturn_t no_permission(nvmlDevice_t handle) {
  NVML_DEVICE(found, handle);
  return NVML_ERROR_NO_PERMISSION;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned length) {
  NVML_DEVICE(found, device);
  return nvml_text(name, length, found.device->name);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned length) {
  NVML_DEVICE(found, device);
  return nvml_text(uuid, length, found.device->uuid);
}

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char* serial, unsigned length) {
  NVML_DEVICE(found, device);
  return nvml_text(serial, length, found.device->serial);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned* index) {
  NVML_DEVICE(found, device);
  NVML_PUT(index, found.nvml_index);
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned* minor) {
  NVML_DEVICE(found, device);
  if (found.device->instance_of != 0) return NVML_ERROR_NOT_SUPPORTED;
  NVML_PUT(minor, found.device->minor);
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t* pci) { return pci_info(device, pci); }
nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return pci_info(device, pci);
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return pci_info(device, pci);
}

nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, int* brand) {
  NVML_DEVICE(found, device);
  NVML_PUT(brand, 2);  // Tesla
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, unsigned* architecture) {
  NVML_DEVICE(found, device);
  NVML_PUT(architecture, found.device->compute_major >= 9 ? 9 : found.device->compute_major == 8 ? 7 : 6);
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major, int* minor) {
  NVML_DEVICE(found, device);
  if (major == nullptr || minor == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *major = static_cast<int>(found.device->compute_major);
  *minor = static_cast<int>(found.device->compute_minor);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned* node) {
  NVML_DEVICE(found, device);
  if (found.device->numa_node < 0) return NVML_ERROR_NOT_SUPPORTED;
  NVML_PUT(node, static_cast<unsigned>(found.device->numa_node));
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned* celsius) {
  NVML_DEVICE(found, device);
  if (sensor != 0) return NVML_ERROR_INVALID_ARGUMENT;
  NVML_PUT(celsius, kIdleCelsius);
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, int, unsigned* celsius) {
  NVML_DEVICE(found, device);
  NVML_PUT(celsius, 92);
}

nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, int* state) {
  NVML_DEVICE(found, device);
  NVML_PUT(state, 0);
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned* milliwatts) {
  nvmlUtilization_t utilization{};
  nvmlDeviceGetUtilizationRates(device, &utilization);
  NVML_DEVICE(found, device);
  NVML_PUT(milliwatts, kIdleMilliwatts + (kBusyMilliwatts - kIdleMilliwatts) * utilization.gpu / 100);
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned* milliwatts) {
  NVML_DEVICE(found, device);
  NVML_PUT(milliwatts, found.device->power_limit_mw);
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned* milliwatts) {
  NVML_DEVICE(found, device);
  NVML_PUT(milliwatts, found.device->power_limit_mw);
}

nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device, int* mode) {
  NVML_DEVICE(found, device);
  NVML_PUT(mode, 1);
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, int type, unsigned* megahertz) {
  NVML_DEVICE(found, device);
  NVML_PUT(megahertz, type == 2 ? 1215 : 1410);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, int type, unsigned* megahertz) {
  NVML_DEVICE(found, device);
  NVML_PUT(megahertz, type == 2 ? 1215 : 1410);
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, int* mode) {
  NVML_DEVICE(found, device);
  NVML_PUT(mode, 1);
}

nvmlReturn_t nvmlDeviceGetDisplayMode(nvmlDevice_t device, int* mode) {
  NVML_DEVICE(found, device);
  NVML_PUT(mode, 0);
}

nvmlReturn_t nvmlDeviceGetDisplayActive(nvmlDevice_t device, int* active) {
  NVML_DEVICE(found, device);
  NVML_PUT(active, 0);
}

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, int* current, int* pending) {
  NVML_DEVICE(found, device);
  if (current == nullptr || pending == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *current = *pending = 1;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int, int, std::uint64_t* errors) {
  NVML_DEVICE(found, device);
  NVML_PUT(errors, 0);
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, int, int, int, std::uint64_t* count) {
  NVML_DEVICE(found, device);
  NVML_PUT(count, 0);
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, int* mode) {
  NVML_DEVICE(found, device);
  NVML_PUT(mode, static_cast<int>(found.device->compute_mode));
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned* current, unsigned* pending) {
  NVML_DEVICE(found, device);
  if (current == nullptr || pending == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (found.device->instance_of != 0) return NVML_ERROR_NOT_SUPPORTED;
  *current = *pending = found.device->divided != 0 ? 1 : 0;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned* count) {
  NVML_DEVICE(found, device);
  if (found.device->instance_of != 0) return NVML_ERROR_NOT_SUPPORTED;
  NVML_PUT(count, found.device->divided != 0 ? kMostInstances : 0);
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned* is_mig) {
  NVML_DEVICE(found, device);
  NVML_PUT(is_mig, found.device->instance_of != 0 ? 1 : 0);
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                 nvmlDevice_t* instance) {
  NVML_DEVICE(found, device);
  if (instance == nullptr || index >= kMostInstances) return NVML_ERROR_INVALID_ARGUMENT;
  *instance = nvml_instance(found.index, index);
  return *instance != nullptr ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned* generation) {
  NVML_DEVICE(found, device);
  NVML_PUT(generation, 4);
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned* generation) {
  NVML_DEVICE(found, device);
  NVML_PUT(generation, 4);
}

nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned* width) {
  NVML_DEVICE(found, device);
  NVML_PUT(width, 16);
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned* width) {
  NVML_DEVICE(found, device);
  NVML_PUT(width, 16);
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device1, nvmlDevice_t device2, int* level) {
  NVML_DEVICE(first, device1);
  NVML_DEVICE(second, device2);
  NVML_PUT(level,
           first.device->numa_node == second.device->numa_node ? 40 : 50);  // one NUMA node, or the system
}

nvmlReturn_t nvmlDeviceSetComputeMode(nvmlDevice_t device, int) { return no_permission(device); }
nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, int) { return no_permission(device); }
nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device, unsigned) {
  return no_permission(device);
}
nvmlReturn_t nvmlDeviceSetGpuLockedClocks(nvmlDevice_t device, unsigned, unsigned) {
  return no_permission(device);
}
nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t device, unsigned, nvmlReturn_t*) {
  return no_permission(device);
}
}
