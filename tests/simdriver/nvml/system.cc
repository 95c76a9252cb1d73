// Start, stop, versions, and finding devices.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <initializer_list>

#include "tests/simdriver/nvml/nvml.h"
#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/nodes.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

struct Nvml {
  State* state;
  unsigned references;
  int count;  // with MIG instances, which come behind the cards
  int cards;
  std::uint32_t present[kMaxDevices];
  char handles[kMaxDevices];  // only their addresses matter
};

Nvml nvml;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void find_devices(const State& state) {
  std::uint32_t present[kMaxDevices];
  const int count = present_devices(state, present);
  nvml.count = nvml.cards = 0;
  for (const bool instances : {false, true}) {
    for (int i = 0; i < count; ++i) {
      if ((state.devices[present[i]].instance_of != 0) == instances) nvml.present[nvml.count++] = present[i];
    }
    if (!instances) nvml.cards = nvml.count;
  }
}

nvmlReturn_t start() {
  pthread_mutex_lock(&mutex);
  State* state = attach();
  if (state != nullptr) {
    if (nvml.references++ == 0) find_devices(*state);
    __atomic_store_n(&nvml.state, state, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&mutex);
  return state != nullptr ? NVML_SUCCESS : NVML_ERROR_DRIVER_NOT_LOADED;
}

nvmlReturn_t stop() {
  pthread_mutex_lock(&mutex);
  const bool running = nvml.references > 0;
  if (running && --nvml.references == 0)
    __atomic_store_n(&nvml.state, static_cast<State*>(nullptr), __ATOMIC_RELEASE);
  pthread_mutex_unlock(&mutex);
  return running ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

struct Text {
  nvmlReturn_t code;
  const char* text;
};
constexpr Text kTexts[] = {
    {NVML_SUCCESS, "Success"},
    {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
    {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
    {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
    {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
    {NVML_ERROR_NOT_FOUND, "Not Found"},
    {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
    {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
    {NVML_ERROR_TIMEOUT, "Timeout"},
    {NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found"},
    {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
    {NVML_ERROR_NO_DATA, "No data"},
    {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Argument version mismatch"},
};

template <typename Matches>
nvmlReturn_t find_device(nvmlDevice_t* out, Matches matches) {
  const State* state = nvml_state();
  if (state == nullptr) return NVML_ERROR_UNINITIALIZED;
  if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  for (int i = 0; i < nvml.count; ++i) {
    if (!matches(state->devices[nvml.present[i]])) continue;
    *out = nvml_handle(i);
    return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

// Bus ids are written with four or eight digits of domain.
bool same_bus_id(const char* left, const char* right) {
  const auto tail = [](const char* text) {
    const std::size_t length = strlen(text);
    return length > 12 ? text + length - 12 : text;
  };
  return strcasecmp(tail(left), tail(right)) == 0;
}

nvmlReturn_t by_index(unsigned index, nvmlDevice_t* out) {
  if (nvml_state() == nullptr) return NVML_ERROR_UNINITIALIZED;
  if (out == nullptr || index >= static_cast<unsigned>(nvml.cards)) return NVML_ERROR_INVALID_ARGUMENT;
  *out = nvml_handle(static_cast<int>(index));
  return NVML_SUCCESS;
}

nvmlReturn_t by_bus_id(const char* bus_id, nvmlDevice_t* out) {
  if (bus_id == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  return find_device(out, [&](const Device& device) { return same_bus_id(device.bus_id, bus_id); });
}

nvmlReturn_t cuda_version(int* version) {
  const State* state = attach();  // works before nvmlInit
  if (state == nullptr) return NVML_ERROR_DRIVER_NOT_LOADED;
  NVML_PUT(version, static_cast<int>(state->options.cuda_version));
}

nvmlReturn_t count(unsigned* out) {
  if (nvml_state() == nullptr) return NVML_ERROR_UNINITIALIZED;
  NVML_PUT(out, static_cast<unsigned>(nvml.cards));
}

}  // namespace

State* nvml_state() { return __atomic_load_n(&nvml.state, __ATOMIC_ACQUIRE); }
int nvml_device_count() { return nvml.cards; }
nvmlDevice_t nvml_handle(int index) { return reinterpret_cast<nvmlDevice_t>(&nvml.handles[index]); }

nvmlDevice_t nvml_instance(std::uint32_t card, std::uint32_t instance) {
  for (int i = nvml.cards; i < nvml.count; ++i) {
    const Device& device = nvml.state->devices[nvml.present[i]];
    if (device.instance_of == card + 1 && device.instance == instance) return nvml_handle(i);
  }
  return nullptr;
}

nvmlReturn_t nvml_device(nvmlDevice_t handle, NvmlDevice& out) {
  out.state = nvml_state();
  if (out.state == nullptr) return NVML_ERROR_UNINITIALIZED;
  const auto* at = reinterpret_cast<const char*>(handle);
  if (at < nvml.handles || at >= nvml.handles + nvml.count) return NVML_ERROR_INVALID_ARGUMENT;
  out.nvml_index = static_cast<std::uint32_t>(at - nvml.handles);
  out.index = nvml.present[out.nvml_index];
  out.device = &out.state->devices[out.index];
  if (out.device->instance_of != 0) out.nvml_index = out.device->instance;
  return out.device->lost != 0 ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

nvmlReturn_t nvml_text(char* out, unsigned length, const char* text) {
  if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (strlen(text) >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
  snprintf(out, length, "%s", text);
  return NVML_SUCCESS;
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

nvmlReturn_t nvmlInit() { return start(); }
nvmlReturn_t nvmlInit_v2() { return start(); }
nvmlReturn_t nvmlInitWithFlags(unsigned) { return start(); }
nvmlReturn_t nvmlShutdown() { return stop(); }

const char* nvmlErrorString(nvmlReturn_t result) {
  for (const Text& text : kTexts) {
    if (text.code == result) return text.text;
  }
  return "Unknown Error";
}

nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned length) {
  const State* state = nvml_state();
  if (state == nullptr) return NVML_ERROR_UNINITIALIZED;
  return nvml_text(version, length, state->options.driver_version);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char* version, unsigned length) {
  const State* state = attach();
  char text[64];
  snprintf(text, sizeof text, "%u.%s", state != nullptr ? state->options.cuda_version / 1000 : 0,
           state != nullptr ? state->options.driver_version : "0");
  return nvml_text(version, length, text);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* version) { return cuda_version(version); }
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) { return cuda_version(version); }

nvmlReturn_t nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
  State* state = nvml_state();
  if (state == nullptr) return NVML_ERROR_UNINITIALIZED;
  const Guard guard(*state);
  for (std::uint32_t slot = 0; slot < state->high_process; ++slot) {
    const Process& process = state->processes[slot];
    if (process.used != 0 && shown_pid(*state, process) == pid) return nvml_text(name, length, process.name);
  }
  return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned* out) { return count(out); }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned* out) { return count(out); }
nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t* device) {
  return by_index(index, device);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t* device) {
  return by_index(index, device);
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char* bus_id, nvmlDevice_t* device) {
  return by_bus_id(bus_id, device);
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, nvmlDevice_t* device) {
  return by_bus_id(bus_id, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  if (uuid == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  return find_device(device, [&](const Device& known) { return strcasecmp(known.uuid, uuid) == 0; });
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char* serial, nvmlDevice_t* device) {
  if (serial == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  return find_device(device, [&](const Device& known) { return strcmp(known.serial, serial) == 0; });
}

nvmlReturn_t nvmlInternalGetExportTable(const void** table, const void*) {
  if (table != nullptr) *table = nullptr;
  return NVML_ERROR_NOT_FOUND;
}
}
