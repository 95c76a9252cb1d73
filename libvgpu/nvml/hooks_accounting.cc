// What NVML tells about single processes: utilisation, accounting, names. Foreign processes are left out, and
// pids are the container's. Where nobody told us the host's pids, there is nothing to tell.
#include "libvgpu/core/proc_self.h"
#include "libvgpu/core/process.h"
#include "libvgpu/export.h"
#include "libvgpu/nvml/driver.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kSamplesMax = 512;  // entries of the host's lists that we look through

// Keeps the entries of this container, with the container's pids, in place. Returns how many are left.
template <typename Entry>
unsigned keep_ours(Entry* entries, unsigned count) noexcept {
  unsigned kept = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint32_t pid = g_process.account.pid_of_host(entries[i].pid);
    if (pid == 0) continue;
    entries[kept] = entries[i];
    entries[kept++].pid = pid;
  }
  return kept;
}

// Hands `found` entries to a program that has room for `*count`; no room at all is how it asks for the
// number.
template <typename Entry>
nvmlReturn_t hand_over(const Entry* entries, unsigned found, Entry* out, unsigned* count) noexcept {
  if (found == 0) return NVML_ERROR_NOT_FOUND;
  const bool fits = out != nullptr && *count >= found;
  for (unsigned i = 0; fits && i < found; ++i) out[i] = entries[i];
  *count = found;
  return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                                         nvmlProcessUtilizationSample_t* samples,
                                                         unsigned* count, std::uint64_t last_seen) {
  if (mode() != Mode::on || count == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetProcessUtilization>(device, samples, count, last_seen);
  }
  nvmlProcessUtilizationSample_t all[kSamplesMax];
  unsigned found = kSamplesMax;
  nvmlProcessUtilizationSample_t* room = all;
  const nvmlReturn_t status =
      nvml<&NvmlDriver::nvmlDeviceGetProcessUtilization>(device, room, &found, last_seen);
  if (status != NVML_SUCCESS) return status;
  return hand_over(all, keep_ours(all, found), samples, count);
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device,
                                                               nvmlProcessesUtilizationInfo_v1_t* info) {
  if (mode() != Mode::on || info == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetProcessesUtilizationInfo>(device, info);
  }
  nvmlProcessUtilizationInfo_v1_t all[kSamplesMax];
  nvmlProcessesUtilizationInfo_v1_t query = *info;
  query.processSamplesCount = kSamplesMax;
  query.procUtilArray = all;
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetProcessesUtilizationInfo>(device, &query);
  if (status != NVML_SUCCESS) return status;
  return hand_over(all, keep_ours(all, query.processSamplesCount), info->procUtilArray,
                   &info->processSamplesCount);
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned* count, unsigned* pids) {
  if (mode() != Mode::on || count == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetAccountingPids>(device, count, pids);
  }
  unsigned all[kSamplesMax];
  unsigned seen = kSamplesMax;
  unsigned* room = all;
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetAccountingPids>(device, &seen, room);
  if (status != NVML_SUCCESS) return status;
  unsigned found = 0;
  for (unsigned i = 0; i < seen; ++i) {
    const std::uint32_t pid = g_process.account.pid_of_host(all[i]);
    if (pid != 0) all[found++] = pid;
  }
  const bool fits = found == 0 || (pids != nullptr && *count >= found);
  for (unsigned i = 0; fits && i < found; ++i) pids[i] = all[i];
  *count = found;
  return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned pid,
                                                      nvmlAccountingStats_t* stats) {
  if (mode() != Mode::on) return nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, pid, stats);
  const std::uint32_t host_pid = g_process.account.host_of_pid(pid);
  if (host_pid != 0) return nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, host_pid, stats);
  // Nobody has pid 0: the driver says whether it can tell of anybody at all.
  nvmlAccountingStats_t nobody = {};
  const nvmlReturn_t status =
      nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, 0U, stats == nullptr ? nullptr : &nobody);
  return status == NVML_SUCCESS ? NVML_ERROR_NOT_FOUND : status;
}

HAMI_EXPORT nvmlReturn_t nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
  if (mode() != Mode::on || name == nullptr || length == 0) {
    return nvml<&NvmlDriver::nvmlSystemGetProcessName>(pid, name, length);
  }
  const ErrnoGuard keep_errno;
  if (!g_process.account.has_process(pid) || !read_command(pid, name, length)) return NVML_ERROR_NOT_FOUND;
  return NVML_SUCCESS;
}
