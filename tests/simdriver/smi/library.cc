#include "tests/simdriver/smi/library.h"

#include <dlfcn.h>

namespace hami::smi {
namespace {

template <typename Function>
void look_up(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

bool open_nvml(Nvml& out) {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_LAZY);
  if (library == nullptr) return false;
  look_up(library, "nvmlInit_v2", out.init);
  look_up(library, "nvmlShutdown", out.shutdown);
  look_up(library, "nvmlErrorString", out.error_string);
  look_up(library, "nvmlSystemGetDriverVersion", out.driver_version);
  look_up(library, "nvmlSystemGetCudaDriverVersion_v2", out.cuda_version);
  look_up(library, "nvmlSystemGetProcessName", out.process_name);
  look_up(library, "nvmlDeviceGetCount_v2", out.count);
  look_up(library, "nvmlDeviceGetHandleByIndex_v2", out.by_index);
  look_up(library, "nvmlDeviceGetHandleByUUID", out.by_uuid);
  look_up(library, "nvmlDeviceGetHandleByPciBusId_v2", out.by_bus_id);
  look_up(library, "nvmlDeviceGetIndex", out.index);
  look_up(library, "nvmlDeviceGetName", out.name);
  look_up(library, "nvmlDeviceGetUUID", out.uuid);
  look_up(library, "nvmlDeviceGetSerial", out.serial);
  look_up(library, "nvmlDeviceGetMinorNumber", out.minor);
  look_up(library, "nvmlDeviceGetPciInfo_v3", out.pci);
  look_up(library, "nvmlDeviceGetCudaComputeCapability", out.compute_capability);
  look_up(library, "nvmlDeviceGetPersistenceMode", out.persistence);
  look_up(library, "nvmlDeviceGetDisplayActive", out.display_active);
  look_up(library, "nvmlDeviceGetEccMode", out.ecc_mode);
  look_up(library, "nvmlDeviceGetTotalEccErrors", out.ecc_errors);
  look_up(library, "nvmlDeviceGetFanSpeed", out.fan);
  look_up(library, "nvmlDeviceGetTemperature", out.temperature);
  look_up(library, "nvmlDeviceGetPerformanceState", out.performance);
  look_up(library, "nvmlDeviceGetPowerUsage", out.power);
  look_up(library, "nvmlDeviceGetEnforcedPowerLimit", out.power_limit);
  look_up(library, "nvmlDeviceGetMemoryInfo", out.memory);
  look_up(library, "nvmlDeviceGetMemoryInfo_v2", out.memory_v2);
  look_up(library, "nvmlDeviceGetUtilizationRates", out.utilization);
  look_up(library, "nvmlDeviceGetComputeMode", out.compute_mode);
  look_up(library, "nvmlDeviceGetMigMode", out.mig_mode);
  look_up(library, "nvmlDeviceGetComputeRunningProcesses_v3", out.compute_processes);
  return out.init != nullptr && out.count != nullptr && out.by_index != nullptr;
}

bool memory_of(const Nvml& nvml, nvmlDevice_t device, nvmlMemory_v2_t& out) {
  out = {};
  out.version = nvml_version<nvmlMemory_v2_t>(2);
  if (nvml.memory_v2 != nullptr && nvml.memory_v2(device, &out) == NVML_SUCCESS) return true;
  nvmlMemory_t old{};
  if (nvml.memory == nullptr || nvml.memory(device, &old) != NVML_SUCCESS) return false;
  out = {out.version, old.total, 0, old.free, old.used};
  return true;
}

}  // namespace hami::smi
