// How busy a card is: of the container's processes alone. NVML tells that by the host's pids; where nobody
// told us those, the card's own numbers stand.
#include "libvgpu/core/process.h"
#include "libvgpu/export.h"
#include "libvgpu/nvml/devices.h"
#include "libvgpu/nvml/driver.h"
#include "libvgpu/nvml/host_list.h"

namespace hami::vgpu {
namespace {

using ProcessSamples = HostList<nvmlProcessUtilizationSample_t>;

// NVML remembers what idle processes did a while ago; what is older than this beside the newest is over.
constexpr std::uint64_t kRecentUs = 1000000;

nvmlReturn_t ask_processes(nvmlDevice_t device, std::uint64_t last_seen, ProcessSamples& list) noexcept {
  return list.fill([=](nvmlProcessUtilizationSample_t* out, unsigned* count) {
    return nvml<&NvmlDriver::nvmlDeviceGetProcessUtilization>(device, out, count, last_seen);
  });
}

// Does nobody know the host's pids of the container's processes on this device, of which there are some?
bool are_pids_unknown(unsigned index) noexcept {
  ProcessUse uses[abi::kMaxSlots];
  const unsigned count = g_process.account.processes(index, uses, abi::kMaxSlots);
  for (unsigned i = 0; i < count && i < abi::kMaxSlots; ++i) {
    if (uses[i].host_pid != 0) return false;
  }
  return count != 0;
}

constexpr unsigned smaller(unsigned a, unsigned b) noexcept { return a < b ? a : b; }

// What the container's processes did lately. False when NVML or we cannot tell.
bool ask_own(nvmlDevice_t device, nvmlUtilization_t& own) noexcept {
  const int index = device_index(device);
  if (index < 0 || are_pids_unknown(static_cast<unsigned>(index))) return false;
  ProcessSamples list;
  const nvmlReturn_t status = ask_processes(device, 0, list);
  own = {0, 0};
  if (status == NVML_ERROR_NOT_FOUND) return true;  // nobody did anything
  if (status != NVML_SUCCESS) return false;
  std::uint64_t newest = 0;
  for (unsigned i = 0; i < list.count(); ++i) {
    if (list[i].timeStamp > newest) newest = list[i].timeStamp;
  }
  list.keep_ours();
  for (unsigned i = 0; i < list.count(); ++i) {
    if (list[i].timeStamp + kRecentUs < newest) continue;
    own.gpu = smaller(own.gpu + list[i].smUtil, 100);
    own.memory = smaller(own.memory + list[i].memUtil, 100);
  }
  return true;
}

// The card's history of `type` tells what others did: the program gets its newest moment, and what the
// container did then.
nvmlReturn_t last_sample(nvmlDevice_t device, int type, std::uint64_t last_seen, unsigned own,
                         int* value_type, unsigned* count, nvmlSample_t* samples) noexcept {
  HostList<nvmlSample_t> list;
  const nvmlReturn_t status = list.fill([=](nvmlSample_t* out, unsigned* there) {
    return nvml<&NvmlDriver::nvmlDeviceGetSamples>(device, type, last_seen, value_type, there, out);
  });
  if (status != NVML_SUCCESS) return status;
  if (list.count() == 0) return NVML_ERROR_NOT_FOUND;
  if (samples != nullptr && *count == 0) return NVML_ERROR_INSUFFICIENT_SIZE;
  *count = 1;
  if (samples == nullptr) return NVML_SUCCESS;  // how many there are
  const nvmlSample_t& newest = list[list.count() - 1];
  const auto card = static_cast<unsigned>(newest.value);
  *samples = {newest.timeStamp, *value_type == NVML_VALUE_TYPE_UNSIGNED_INT ? smaller(card, own) : own};
  *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
  return NVML_SUCCESS;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* utilization) {
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetUtilizationRates>(device, utilization);
  if (status != NVML_SUCCESS || mode() != Mode::on || utilization == nullptr) return status;
  if (is_hidden(device)) return NVML_ERROR_NO_PERMISSION;
  nvmlUtilization_t own = {};
  if (!ask_own(device, own)) return status;
  *utilization = {smaller(utilization->gpu, own.gpu), smaller(utilization->memory, own.memory)};
  return status;
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, int type, std::uint64_t last_seen,
                                              int* value_type, unsigned* count, nvmlSample_t* samples) {
  const auto ask = [=] {
    return nvml<&NvmlDriver::nvmlDeviceGetSamples>(device, type, last_seen, value_type, count, samples);
  };
  if (mode() != Mode::on || value_type == nullptr || count == nullptr) return ask();
  if (type != NVML_GPU_UTILIZATION_SAMPLES && type != NVML_MEMORY_UTILIZATION_SAMPLES) return ask();
  if (is_hidden(device)) return NVML_ERROR_NO_PERMISSION;
  nvmlUtilization_t own = {};
  if (!ask_own(device, own)) return ask();
  return last_sample(device, type, last_seen, type == NVML_GPU_UTILIZATION_SAMPLES ? own.gpu : own.memory,
                     value_type, count, samples);
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                                         nvmlProcessUtilizationSample_t* samples,
                                                         unsigned* count, std::uint64_t last_seen) {
  if (mode() != Mode::on || count == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetProcessUtilization>(device, samples, count, last_seen);
  }
  ProcessSamples list;
  const nvmlReturn_t status = ask_processes(device, last_seen, list);
  if (status != NVML_SUCCESS) return status;
  list.keep_ours();
  const nvmlReturn_t handed = hand_over(list, samples, count);
  return list.count() == 0 ? NVML_ERROR_NOT_FOUND : handed;
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device,
                                                               nvmlProcessesUtilizationInfo_v1_t* info) {
  if (mode() != Mode::on || info == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetProcessesUtilizationInfo>(device, info);
  }
  nvmlProcessesUtilizationInfo_v1_t query = *info;
  HostList<nvmlProcessUtilizationInfo_v1_t> list;
  const nvmlReturn_t status = list.fill([&](nvmlProcessUtilizationInfo_v1_t* out, unsigned* count) {
    query.procUtilArray = out;
    query.processSamplesCount = *count;
    const nvmlReturn_t answer = nvml<&NvmlDriver::nvmlDeviceGetProcessesUtilizationInfo>(device, &query);
    *count = query.processSamplesCount;
    return answer;
  });
  if (status != NVML_SUCCESS) return status;
  list.keep_ours();
  const nvmlReturn_t handed = hand_over(list, info->procUtilArray, &info->processSamplesCount);
  return list.count() == 0 ? NVML_ERROR_NOT_FOUND : handed;
}
