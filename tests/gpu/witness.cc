#include "tests/gpu/witness.h"

#include <dlfcn.h>

#include <fstream>
#include <iterator>
#include <vector>

namespace hami::gpu {
namespace {

bool has_mark(unsigned pid, const std::string& mark) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ('\0' + text).find('\0' + (kMark + ("=" + mark)) + '\0') != std::string::npos;
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool CardWitness::find_functions() {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  return library != nullptr && find(library, "nvmlInit_v2", nvml_.init) &&
         find(library, "nvmlDeviceGetHandleByIndex_v2", nvml_.handle) &&
         find(library, "nvmlDeviceGetUUID", nvml_.uuid) && find(library, "nvmlDeviceGetName", nvml_.name) &&
         find(library, "nvmlDeviceGetMemoryInfo", nvml_.memory) &&
         find(library, "nvmlDeviceGetComputeRunningProcesses_v3", nvml_.processes) &&
         find(library, "nvmlDeviceGetUtilizationRates", nvml_.utilization);
}

bool CardWitness::open() {
  char text[NVML_DEVICE_UUID_BUFFER_SIZE] = {};
  if (!find_functions() || nvml_.init() != NVML_SUCCESS || nvml_.handle(0, &card_) != NVML_SUCCESS ||
      nvml_.uuid(card_, text, sizeof text) != NVML_SUCCESS) {
    return false;
  }
  uuid_ = text;
  return true;
}

std::string CardWitness::name() const {
  char text[96] = "?";
  nvml_.name(card_, text, sizeof text);
  return text;
}

bool CardWitness::held_by(const std::string& mark, std::uint64_t& bytes) const {
  std::vector<nvmlProcessInfo_v2_t> list(1024);
  auto count = static_cast<unsigned>(list.size());
  if (nvml_.processes(card_, &count, list.data()) != NVML_SUCCESS) return false;
  bool is_found = false;
  bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (!has_mark(list[i].pid, mark)) continue;
    if (list[i].usedGpuMemory == NVML_VALUE_NOT_AVAILABLE) return false;
    bytes += list[i].usedGpuMemory;
    is_found = true;
  }
  return is_found;
}

std::uint64_t CardWitness::used() const {
  nvmlMemory_t memory = {};
  nvml_.memory(card_, &memory);
  return memory.used;
}

int CardWitness::utilization() const {
  nvmlUtilization_t rates = {};
  return nvml_.utilization(card_, &rates) == NVML_SUCCESS ? static_cast<int>(rates.gpu) : -1;
}

}  // namespace hami::gpu
