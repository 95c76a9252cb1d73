// Lists of processes. NVML names the processes of the whole host, by pids that mean nothing in a container's
// pid namespace. The container sees its own: from the usage page, with the bytes that add up to the memory in
// use.
#include "libvgpu/core/process.h"
#include "libvgpu/export.h"
#include "libvgpu/nvml/devices.h"
#include "libvgpu/nvml/driver.h"
#include "libvgpu/nvml/host_list.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kNoInstance = ~0U;  // the device is not divided

void fill(nvmlProcessInfo_v1_t& out, const ProcessUse& use) noexcept { out = {use.pid, use.bytes}; }
void fill(nvmlProcessInfo_v2_t& out, const ProcessUse& use) noexcept {
  out = {use.pid, use.bytes, kNoInstance, kNoInstance};
}
void fill(nvmlProcessDetail_v1_t& out, const ProcessUse& use) noexcept {
  out = {use.pid, use.bytes, kNoInstance, kNoInstance, 0};
}

// NVML's way with lists: `count` is the room, then the number there is.
nvmlReturn_t tell(unsigned* count, unsigned found) noexcept {
  const bool fits = found <= *count;
  *count = found;
  return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

bool has_list(nvmlReturn_t status) noexcept {
  return status == NVML_SUCCESS || status == NVML_ERROR_INSUFFICIENT_SIZE;
}

template <typename Info>
nvmlReturn_t tell_ours(nvmlDevice_t device, unsigned* count, Info* infos) noexcept {
  const int index = device_index(device);
  if (index < 0) return is_hidden(device) ? NVML_ERROR_NO_PERMISSION : tell(count, 0);
  ProcessUse uses[abi::kMaxSlots];
  const unsigned found = g_process.account.processes(static_cast<unsigned>(index), uses, abi::kMaxSlots);
  for (unsigned i = 0; i < found && i < *count; ++i) fill(infos[i], uses[i]);
  return tell(count, found);
}

// The processes that compute. `ask` is NVML's function: its errors stand.
template <typename Info, typename Ask>
nvmlReturn_t compute_processes(nvmlDevice_t device, unsigned* count, Info* infos, Ask ask) noexcept {
  if (mode() != Mode::on || count == nullptr || (*count > 0 && infos == nullptr))
    return ask(device, count, infos);
  unsigned none = 0;
  const nvmlReturn_t status = ask(device, &none, nullptr);
  return has_list(status) ? tell_ours(device, count, infos) : status;
}

// Lists that the usage page knows nothing of: NVML's entries of this container, as far as the host pids are
// known.
template <typename Info, typename Ask>
nvmlReturn_t other_processes(nvmlDevice_t device, unsigned* count, Info* infos, Ask ask) noexcept {
  if (mode() != Mode::on || count == nullptr || (*count > 0 && infos == nullptr))
    return ask(device, count, infos);
  HostList<Info> list;
  const nvmlReturn_t status = list.fill([&](Info* out, unsigned* there) { return ask(device, there, out); });
  if (status != NVML_SUCCESS) return status;
  if (is_hidden(device)) return NVML_ERROR_NO_PERMISSION;
  list.keep_ours();
  for (unsigned i = 0; i < list.count() && i < *count; ++i) infos[i] = list[i];
  return tell(count, list.count());
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                              nvmlProcessInfo_v1_t* infos) {
  return compute_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetComputeRunningProcesses>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                                 nvmlProcessInfo_v2_t* infos) {
  return compute_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetComputeRunningProcesses_v2>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                                 nvmlProcessInfo_v2_t* infos) {
  return compute_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetComputeRunningProcesses_v3>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                               nvmlProcessInfo_v1_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetGraphicsRunningProcesses>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                                  nvmlProcessInfo_v2_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetGraphicsRunningProcesses_v2>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                                  nvmlProcessInfo_v2_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetGraphicsRunningProcesses_v3>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                                 nvmlProcessInfo_v1_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetMPSComputeRunningProcesses>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                                    nvmlProcessInfo_v2_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetMPSComputeRunningProcesses_v2>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                                    nvmlProcessInfo_v2_t* infos) {
  return other_processes(device, count, infos, [](auto... a) {
    return nvml<&NvmlDriver::nvmlDeviceGetMPSComputeRunningProcesses_v3>(a...);
  });
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device,
                                                               nvmlProcessDetailList_v1_t* list) {
  if (mode() != Mode::on || list == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetRunningProcessDetailList>(device, list);
  }
  nvmlProcessDetailList_v1_t none = *list;
  none.numProcArrayEntries = 0;
  none.procArray = nullptr;
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetRunningProcessDetailList>(device, &none);
  if (!has_list(status)) return status;
  if (list->procArray == nullptr) list->numProcArrayEntries = 0;
  return tell_ours(device, &list->numProcArrayEntries, list->procArray);
}
