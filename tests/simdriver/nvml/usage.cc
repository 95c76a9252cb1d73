// Memory, processes and utilisation.
#include "tests/simdriver/nvml/nvml.h"
#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr unsigned kNoInstance = 0xffffffffU;
constexpr int kNobody = -1;

struct MemoryNow {
  std::uint64_t total, reserved, free, used;
};

// The device itself, and what it is divided into.
bool is_part(const NvmlDevice& whole, std::uint32_t index) {
  return index == whole.index || whole.state->devices[index].instance_of == whole.index + 1;
}

// NVML knows how busy cards are, and not their instances.
bool is_divided(const NvmlDevice& device) {
  return device.device->divided != 0 || device.device->instance_of != 0;
}

nvmlReturn_t memory_now(nvmlDevice_t handle, MemoryNow& out) {
  NVML_DEVICE(found, handle);
  if (found.state->options.memory_info == 0) return NVML_ERROR_NOT_SUPPORTED;
  const Guard guard(*found.state);
  if (found.state->options.reap_on_query != 0) collect_dead(*found.state, kNobody);
  out.total = found.device->total_bytes;
  out.reserved = found.device->reserved_bytes;
  out.used = 0;
  for (std::uint32_t i = 0; i < found.state->device_count; ++i) {
    if (is_part(found, i)) out.used += found.state->devices[i].used;
  }
  out.free =
      out.total - out.reserved - (out.used < out.total - out.reserved ? out.used : out.total - out.reserved);
  return NVML_SUCCESS;
}

void fill(nvmlProcessInfo_v1_t& out, unsigned pid, std::uint64_t bytes, unsigned) { out = {pid, bytes}; }
void fill(nvmlProcessInfo_v2_t& out, unsigned pid, std::uint64_t bytes, unsigned instance) {
  out = {pid, bytes, instance, instance == kNoInstance ? kNoInstance : 0};
}
void fill(nvmlProcessDetail_v1_t& out, unsigned pid, std::uint64_t bytes, unsigned instance) {
  out = {pid, bytes, instance, instance == kNoInstance ? kNoInstance : 0, 0};
}

// NVML's way with lists: `count` is the room, then the number there is.
template <typename Info>
nvmlReturn_t list_processes(nvmlDevice_t handle, unsigned* count, Info* infos) {
  NVML_DEVICE(found, handle);
  if (count == nullptr || (*count > 0 && infos == nullptr)) return NVML_ERROR_INVALID_ARGUMENT;
  State& state = *found.state;
  const Guard guard(state);
  collect_dead(state, kNobody);
  unsigned listed = 0;
  for (std::uint32_t index = 0; state.options.process_list != 0 && index < state.device_count; ++index) {
    const Device& part = state.devices[index];
    if (!is_part(found, index)) continue;
    for (std::uint32_t slot = 0; slot < state.high_process; ++slot) {
      const Process& process = state.processes[slot];
      const Share& share = process.share[index];
      if (process.used == 0 || (share.contexts == 0 && share.physical == 0)) continue;
      const unsigned instance = part.instance_of != 0 ? part.instance : kNoInstance;
      if (listed < *count) fill(infos[listed], shown_pid(state, process), share.physical, instance);
      ++listed;
    }
  }
  const bool fits = listed <= *count;
  *count = listed;
  return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

nvmlReturn_t no_processes(nvmlDevice_t handle, unsigned* count) {
  NVML_DEVICE(found, handle);
  NVML_PUT(count, 0);
}

// Percent of the last whole sample period that one process kept the card busy.
unsigned busy_percent(const State& state, const Process& process, std::uint32_t device) {
  const std::uint64_t period = now_ns(state) / state.options.sample_period_ns;
  if (period == 0) return 0;
  const BusySample& sample = process.busy[device][(period - 1) % kBusySamples];
  if (sample.period != period - 1) return 0;
  const std::uint64_t percent = sample.busy_ns * 100 / state.options.sample_period_ns;
  return percent > 100 ? 100 : static_cast<unsigned>(percent);
}

std::uint64_t sample_time_us(const State& state) {
  const std::uint64_t period = now_ns(state) / state.options.sample_period_ns;
  return period * state.options.sample_period_ns / 1000;
}

struct Sample {
  unsigned pid;
  unsigned percent;
};

// Processes that used the card in the last period.
unsigned samples_of(const State& state, std::uint32_t device, Sample (&out)[kMaxProcesses]) {
  unsigned count = 0;
  for (std::uint32_t slot = 0; slot < state.high_process; ++slot) {
    const Process& process = state.processes[slot];
    if (process.used == 0) continue;
    const unsigned percent = busy_percent(state, process, device);
    if (percent > 0) out[count++] = {shown_pid(state, process), percent};
  }
  return count;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  if (nvml_state() == nullptr) return NVML_ERROR_UNINITIALIZED;
  if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  MemoryNow now{};
  if (const nvmlReturn_t result = memory_now(device, now); result != NVML_SUCCESS) return result;
  *memory = {now.total, now.free, now.used + now.reserved};  // the first form knows no reserved memory
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
  if (nvml_state() == nullptr) return NVML_ERROR_UNINITIALIZED;
  if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (memory->version != nvml_version<nvmlMemory_v2_t>(2)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  MemoryNow now{};
  if (const nvmlReturn_t result = memory_now(device, now); result != NVML_SUCCESS) return result;
  *memory = {memory->version, now.total, now.reserved, now.free, now.used};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t* memory) {
  NVML_DEVICE(found, device);
  if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *memory = {65536 * kMiB, 65535 * kMiB, kMiB};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
  NVML_DEVICE(found, device);
  if (attributes == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (found.device->instance_of == 0) return NVML_ERROR_NOT_SUPPORTED;
  *attributes = {};
  attributes->multiprocessorCount = found.device->multiprocessors;
  attributes->gpuInstanceSliceCount = attributes->computeInstanceSliceCount = 1;
  attributes->memorySizeMB = found.device->total_bytes / kMiB;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                  nvmlProcessInfo_v1_t* infos) {
  return list_processes(device, count, infos);
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                     nvmlProcessInfo_v2_t* infos) {
  return list_processes(device, count, infos);
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                     nvmlProcessInfo_v2_t* infos) {
  return list_processes(device, count, infos);
}
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                   nvmlProcessInfo_v1_t*) {
  return no_processes(device, count);
}
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                      nvmlProcessInfo_v2_t*) {
  return no_processes(device, count);
}
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                      nvmlProcessInfo_v2_t*) {
  return no_processes(device, count);
}
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                     nvmlProcessInfo_v1_t*) {
  return no_processes(device, count);
}
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                        nvmlProcessInfo_v2_t*) {
  return no_processes(device, count);
}
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                        nvmlProcessInfo_v2_t*) {
  return no_processes(device, count);
}

nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_v1_t* list) {
  if (list == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (list->version != nvml_version<nvmlProcessDetailList_v1_t>(1))
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (list->mode != 0) return no_processes(device, &list->numProcArrayEntries);  // graphics, MPS
  return list_processes(device, &list->numProcArrayEntries, list->procArray);
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* utilization) {
  NVML_DEVICE(found, device);
  if (is_divided(found)) return NVML_ERROR_NOT_SUPPORTED;
  if (utilization == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  const Guard guard(*found.state);
  unsigned sum = 0;
  for (std::uint32_t slot = 0; slot < found.state->high_process; ++slot) {
    const Process& process = found.state->processes[slot];
    if (process.used != 0) sum += busy_percent(*found.state, process, found.index);
  }
  *utilization = {sum > 100 ? 100 : sum, 0};
  return NVML_SUCCESS;
}

// One sample a period, of the last one alone.
nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, int type, std::uint64_t last_seen, int* value_type,
                                  unsigned* count, nvmlSample_t* samples) {
  NVML_DEVICE(found, device);
  if (value_type == nullptr || count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (type != NVML_GPU_UTILIZATION_SAMPLES && type != NVML_MEMORY_UTILIZATION_SAMPLES)
    return NVML_ERROR_NOT_SUPPORTED;
  *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
  nvmlUtilization_t rates = {};
  if (const nvmlReturn_t result = nvmlDeviceGetUtilizationRates(device, &rates); result != NVML_SUCCESS)
    return result;
  const Guard guard(*found.state);
  const std::uint64_t time = sample_time_us(*found.state);
  if (time <= last_seen) return NVML_ERROR_NOT_FOUND;
  const unsigned room = samples != nullptr ? *count : 1;
  *count = 1;
  if (room == 0) return NVML_ERROR_INSUFFICIENT_SIZE;
  if (samples != nullptr) *samples = {time, type == NVML_GPU_UTILIZATION_SAMPLES ? rates.gpu : rates.memory};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned* percent, unsigned* period_us) {
  NVML_DEVICE(found, device);
  if (period_us != nullptr) *period_us = static_cast<unsigned>(found.state->options.sample_period_ns / 1000);
  NVML_PUT(percent, 0);
}

nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned* percent, unsigned* period_us) {
  NVML_DEVICE(found, device);
  if (period_us != nullptr) *period_us = static_cast<unsigned>(found.state->options.sample_period_ns / 1000);
  NVML_PUT(percent, 0);
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t* samples,
                                             unsigned* count, std::uint64_t last_seen) {
  NVML_DEVICE(found, device);
  if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (is_divided(found)) return NVML_ERROR_NOT_SUPPORTED;
  const Guard guard(*found.state);
  static Sample now[kMaxProcesses];  // under the guard
  const unsigned there = samples_of(*found.state, found.index, now);
  const std::uint64_t time = sample_time_us(*found.state);
  if (found.state->options.utilization == 0 || there == 0 || time <= last_seen) {
    *count = 0;
    return NVML_ERROR_NOT_FOUND;
  }
  const unsigned room = samples != nullptr ? *count : 0;
  for (unsigned i = 0; i < there && i < room; ++i) samples[i] = {now[i].pid, time, now[i].percent, 0, 0, 0};
  *count = there;
  return there <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device,
                                                   nvmlProcessesUtilizationInfo_v1_t* info) {
  NVML_DEVICE(found, device);
  if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (is_divided(found)) return NVML_ERROR_NOT_SUPPORTED;
  if (info->version != nvml_version<nvmlProcessesUtilizationInfo_v1_t>(1))
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  const Guard guard(*found.state);
  static Sample now[kMaxProcesses];  // under the guard
  const unsigned there = samples_of(*found.state, found.index, now);
  const std::uint64_t time = sample_time_us(*found.state);
  if (found.state->options.utilization == 0 || there == 0 || time <= info->lastSeenTimeStamp) {
    info->processSamplesCount = 0;
    return NVML_ERROR_NOT_FOUND;
  }
  const unsigned room = info->procUtilArray != nullptr ? info->processSamplesCount : 0;
  for (unsigned i = 0; i < there && i < room; ++i) {
    info->procUtilArray[i] = {time, now[i].pid, now[i].percent, 0, 0, 0, 0, 0};
  }
  info->processSamplesCount = there;
  return there <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, int* mode) {
  NVML_DEVICE(found, device);
  NVML_PUT(mode, 0);
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t* values) {
  NVML_DEVICE(found, device);
  if (values == nullptr || count < 0) return NVML_ERROR_INVALID_ARGUMENT;
  for (int i = 0; i < count; ++i) values[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
  return NVML_SUCCESS;
}
}
