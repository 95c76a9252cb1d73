#include "libvgpu/nvml/devices.h"

#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/nvml/driver.h"

namespace hami::vgpu {
namespace {

// Handles seen lately, at the place their address gives. A word packs the handle's bits (addresses have 48)
// and index + 1, so that a reader never sees one without the other.
constexpr unsigned kKnown = 64;
constinit std::atomic<std::uint64_t> g_known[kKnown] = {};

std::uint64_t bits(nvmlDevice_t device) noexcept { return reinterpret_cast<std::uintptr_t>(device) << 16U; }

std::atomic<std::uint64_t>& place(nvmlDevice_t device) noexcept {
  return g_known[((reinterpret_cast<std::uintptr_t>(device) * 0x9e3779b97f4a7c15ULL) >> 32U) % kKnown];
}

int ask(nvmlDevice_t device) noexcept {
  if (g_process.limits.source() == LimitSource::slice) {
    char uuid[NVML_DEVICE_UUID_BUFFER_SIZE] = {};
    if (nvml<&NvmlDriver::nvmlDeviceGetUUID>(device, uuid, unsigned{sizeof uuid}) != NVML_SUCCESS) return -1;
    return g_process.limits.find(uuid);
  }
  unsigned index = 0;
  if (nvml<&NvmlDriver::nvmlDeviceGetIndex>(device, &index) != NVML_SUCCESS) return -1;
  return index < abi::kMaxDevices ? static_cast<int>(index) : -1;
}

}  // namespace

int device_index(nvmlDevice_t device) noexcept {
  std::atomic<std::uint64_t>& known = place(device);
  const std::uint64_t word = known.load(std::memory_order_relaxed);
  if ((word & ~std::uint64_t{0xffff}) == bits(device) && (word & 0xffffU) != 0) [[likely]] {
    return static_cast<int>(word & 0xffffU) - 1;
  }
  const int index = ask(device);
  if (index >= 0)
    known.store(bits(device) | static_cast<std::uint64_t>(index + 1), std::memory_order_relaxed);
  return index;
}

bool is_hidden(nvmlDevice_t device) noexcept {
  if (g_process.limits.source() != LimitSource::slice || device_index(device) >= 0) return false;
  char uuid[NVML_DEVICE_UUID_BUFFER_SIZE] = {};
  if (nvml<&NvmlDriver::nvmlDeviceGetUUID>(device, uuid, unsigned{sizeof uuid}) != NVML_SUCCESS) return false;
  unsigned is_divided = 0;
  unsigned pending = 0;
  return nvml<&NvmlDriver::nvmlDeviceGetMigMode>(device, &is_divided, &pending) != NVML_SUCCESS ||
         is_divided == 0;
}

void forget_devices() noexcept {
  for (std::atomic<std::uint64_t>& known : g_known) known.store(0, std::memory_order_relaxed);
}

}  // namespace hami::vgpu
