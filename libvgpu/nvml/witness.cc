#include "libvgpu/nvml/witness.h"

#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/nvml/driver.h"

namespace hami::vgpu {
namespace {

// The handle of each of the container's devices, asked once.
constinit std::atomic<nvmlDevice_t> g_handles[abi::kMaxDevices] = {};

nvmlReturn_t ask_for_handle(unsigned device, nvmlDevice_t* handle) noexcept {
  if (g_process.limits.source() == LimitSource::slice) {
    const char* uuid = g_process.limits.slice().devices[device].uuid;
    return nvml<&NvmlDriver::nvmlDeviceGetHandleByUUID>(uuid, handle);
  }
  return nvml<&NvmlDriver::nvmlDeviceGetHandleByIndex_v2>(device, handle);
}

// NVML counts how often it was opened: this one more time stays until the process ends.
nvmlDevice_t handle_of(unsigned device) noexcept {
  nvmlDevice_t handle = g_handles[device].load(std::memory_order_acquire);
  if (handle != nullptr) return handle;
  if (nvml<&NvmlDriver::nvmlInit_v2>() != NVML_SUCCESS || ask_for_handle(device, &handle) != NVML_SUCCESS) {
    return nullptr;
  }
  g_handles[device].store(handle, std::memory_order_release);
  return handle;
}

nvmlReturn_t ask_for_list(nvmlDevice_t handle, unsigned* count, nvmlProcessInfo_v2_t* entries) noexcept {
  const nvmlReturn_t status =
      nvml<&NvmlDriver::nvmlDeviceGetComputeRunningProcesses_v3>(handle, count, entries);
  if (status != NVML_ERROR_FUNCTION_NOT_FOUND) return status;
  return nvml<&NvmlDriver::nvmlDeviceGetComputeRunningProcesses_v2>(handle, count, entries);
}

bool holds(const Witness& witness, unsigned pid) noexcept {
  for (unsigned i = 0; i < witness.list.count(); ++i) {
    if (witness.list[i].pid == pid) return true;
  }
  return false;
}

}  // namespace

void Witness::look(unsigned device) noexcept {
  const ErrnoGuard keep_errno;
  const nvmlDevice_t handle = device < abi::kMaxDevices ? handle_of(device) : nullptr;
  is_known = handle != nullptr && list.fill([=](nvmlProcessInfo_v2_t* out, unsigned* count) {
    return ask_for_list(handle, count, out);
  }) == NVML_SUCCESS;
}

void learn_self(const Witness& before, const Witness& after) noexcept {
  if (!before.is_known || !after.is_known || g_process.account.own_host_pid() != 0) return;
  unsigned fresh = 0;
  unsigned pid = 0;
  for (unsigned i = 0; i < after.list.count(); ++i) {
    if (holds(before, after.list[i].pid)) continue;
    ++fresh;
    pid = after.list[i].pid;
  }
  // Two new ones: one is somebody else's, and nothing tells which.
  if (fresh == 1 && g_process.account.pid_of_host(pid) == 0) g_process.account.tell_host_pid(pid);
}

bool own_bytes(const Witness& witness, std::uint64_t& bytes) noexcept {
  const std::uint32_t self = g_process.account.own_host_pid();
  if (self == 0 || !witness.is_known) return false;
  for (unsigned i = 0; i < witness.list.count(); ++i) {
    if (witness.list[i].pid != self) continue;
    bytes = witness.list[i].usedGpuMemory;
    return bytes != NVML_VALUE_NOT_AVAILABLE;
  }
  return false;
}

bool own_bytes(unsigned device, std::uint64_t& bytes) noexcept {
  if (g_process.account.own_host_pid() == 0) return false;
  Witness witness;
  witness.look(device);
  return own_bytes(witness, bytes);
}

void forget_witness() noexcept {
  for (std::atomic<nvmlDevice_t>& handle : g_handles) handle.store(nullptr, std::memory_order_relaxed);
}

}  // namespace hami::vgpu
