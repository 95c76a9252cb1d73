// NVML as nvidia-smi uses it: opened at run time, every function looked up by name.
#pragma once

#include "libvgpu/nvml/types.h"

namespace hami::smi {

// The functions the screens need. A null one is shown as N/A.
struct Nvml {
  nvmlReturn_t (*init)();
  nvmlReturn_t (*shutdown)();
  const char* (*error_string)(nvmlReturn_t);
  nvmlReturn_t (*driver_version)(char*, unsigned);
  nvmlReturn_t (*cuda_version)(int*);
  nvmlReturn_t (*process_name)(unsigned, char*, unsigned);
  nvmlReturn_t (*count)(unsigned*);
  nvmlReturn_t (*by_index)(unsigned, nvmlDevice_t*);
  nvmlReturn_t (*by_uuid)(const char*, nvmlDevice_t*);
  nvmlReturn_t (*by_bus_id)(const char*, nvmlDevice_t*);
  nvmlReturn_t (*index)(nvmlDevice_t, unsigned*);
  nvmlReturn_t (*name)(nvmlDevice_t, char*, unsigned);
  nvmlReturn_t (*uuid)(nvmlDevice_t, char*, unsigned);
  nvmlReturn_t (*serial)(nvmlDevice_t, char*, unsigned);
  nvmlReturn_t (*minor)(nvmlDevice_t, unsigned*);
  nvmlReturn_t (*pci)(nvmlDevice_t, nvmlPciInfo_t*);
  nvmlReturn_t (*compute_capability)(nvmlDevice_t, int*, int*);
  nvmlReturn_t (*persistence)(nvmlDevice_t, int*);
  nvmlReturn_t (*display_active)(nvmlDevice_t, int*);
  nvmlReturn_t (*ecc_mode)(nvmlDevice_t, int*, int*);
  nvmlReturn_t (*ecc_errors)(nvmlDevice_t, int, int, std::uint64_t*);
  nvmlReturn_t (*fan)(nvmlDevice_t, unsigned*);
  nvmlReturn_t (*temperature)(nvmlDevice_t, int, unsigned*);
  nvmlReturn_t (*performance)(nvmlDevice_t, int*);
  nvmlReturn_t (*power)(nvmlDevice_t, unsigned*);
  nvmlReturn_t (*power_limit)(nvmlDevice_t, unsigned*);
  nvmlReturn_t (*memory)(nvmlDevice_t, nvmlMemory_t*);
  nvmlReturn_t (*memory_v2)(nvmlDevice_t, nvmlMemory_v2_t*);
  nvmlReturn_t (*utilization)(nvmlDevice_t, nvmlUtilization_t*);
  nvmlReturn_t (*compute_mode)(nvmlDevice_t, int*);
  nvmlReturn_t (*mig_mode)(nvmlDevice_t, unsigned*, unsigned*);
  nvmlReturn_t (*compute_processes)(nvmlDevice_t, unsigned*, nvmlProcessInfo_v2_t*);
};

// Opens libnvidia-ml.so.1 and looks everything up; false when there is no library.
bool open_nvml(Nvml& out);

// Bytes as v2 tells them, as v1 where v2 is missing; false when neither answers.
bool memory_of(const Nvml& nvml, nvmlDevice_t device, nvmlMemory_v2_t& out);

// The value of a function with one out-parameter, or `otherwise` when there is no such function or it fails.
template <typename Value>
Value ask(nvmlReturn_t (*function)(nvmlDevice_t, Value*), nvmlDevice_t device, Value otherwise) {
  Value value{};
  return function != nullptr && function(device, &value) == NVML_SUCCESS ? value : otherwise;
}

// The text of a function that fills a buffer; "N/A" when it fails.
template <std::size_t N>
const char* ask_text(nvmlReturn_t (*function)(nvmlDevice_t, char*, unsigned), nvmlDevice_t device,
                     char (&buffer)[N]) {
  return function != nullptr && function(device, buffer, N) == NVML_SUCCESS ? buffer : "N/A";
}

}  // namespace hami::smi
