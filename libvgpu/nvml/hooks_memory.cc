// How much memory a device has, for nvidia-smi and everything else that asks NVML: the same numbers as
// CUDA's.
#include "libvgpu/core/process.h"
#include "libvgpu/core/view.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/cuda/stock.h"
#include "libvgpu/export.h"
#include "libvgpu/nvml/devices.h"
#include "libvgpu/nvml/driver.h"

namespace hami::vgpu {
namespace {

// Puts the container's numbers into NVML's answer. `status` is NVML's own; a card that shares its memory with
// the host has no answer of its own, and the slice is known all the same.
template <typename Memory>
nvmlReturn_t restrict_memory(nvmlDevice_t device, Memory* memory, nvmlReturn_t status) noexcept {
  const bool is_shared = status == NVML_ERROR_NOT_SUPPORTED;
  if (memory == nullptr || (status != NVML_SUCCESS && !is_shared)) return status;
  const int index = device_index(device);
  if (index < 0) return is_hidden(device) ? NVML_ERROR_NO_PERMISSION : status;
  const auto which = static_cast<unsigned>(index);
  const std::uint64_t limit = g_process.limits.memory(which);
  if (limit == 0) return status;
  const std::uint64_t real_total = is_shared ? limit : memory->total;
  const std::uint64_t real_free = is_shared ? limit : memory->free;
  settle_stock(which);
  reconcile(which);
  const DeviceView view = view_device(limit, g_process.account.used(which), real_total, real_free);
  memory->total = view.total;
  memory->free = view.free;
  memory->used = view.used;
  return NVML_SUCCESS;
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetMemoryInfo>(device, memory);
  return mode() == Mode::on ? restrict_memory(device, memory, status) : status;
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
  const nvmlReturn_t status = nvml<&NvmlDriver::nvmlDeviceGetMemoryInfo_v2>(device, memory);
  if (mode() != Mode::on) return status;
  const nvmlReturn_t answer = restrict_memory(device, memory, status);
  // What the driver keeps for itself is not the container's.
  if (answer == NVML_SUCCESS && memory->used + memory->free <= memory->total) memory->reserved = 0;
  return answer;
}

HAMI_EXPORT nvmlReturn_t nvmlShutdown() {
  forget_devices();
  return nvml<&NvmlDriver::nvmlShutdown>();
}
