#include "libvgpu/cuda/devices.h"

#include <atomic>
#include <cstdlib>

#include "libvgpu/core/device_names.h"
#include "libvgpu/core/log.h"
#include "libvgpu/core/process.h"
#include "libvgpu/cuda/driver.h"

namespace hami::vgpu {

constinit std::atomic<int> g_only_device{0};

namespace {

constexpr int kOrdinals = 64;
constexpr int kUnknownDevice = -1;
constexpr int kSeveral = -1;

// Index + 1 of each ordinal; 0: not asked yet. Only answers that cannot change are kept.
constinit std::atomic<int> g_index[kOrdinals] = {};

bool read_uuid(CUdevice ordinal, CUuuid& uuid) noexcept {
  // The second form knows MIG devices.
  return driver<&CudaDriver::cuDeviceGetUuid_v2>(&uuid, ordinal) == CUDA_SUCCESS ||
         driver<&CudaDriver::cuDeviceGetUuid>(&uuid, ordinal) == CUDA_SUCCESS;
}

int find_by_uuid(CUdevice ordinal) noexcept {
  CUuuid uuid = {};
  if (!read_uuid(ordinal, uuid)) return kUnknownDevice;
  char text[kUuidText];
  uuid_to_text(uuid, text);
  const int index = g_process.limits.find(text);
  if (index < 0)
    log(LogLevel::error, "device ", text, " is not in this container's slice; it cannot be used");
  return index;
}

std::string_view variable(const char* name) noexcept {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

int find_by_lists(CUdevice ordinal) noexcept {
  const int index =
      index_from_lists(variable("CUDA_VISIBLE_DEVICES"), variable("NVIDIA_VISIBLE_DEVICES"), ordinal);
  return index < static_cast<int>(abi::kMaxDevices) ? index : kUnknownDevice;
}

// Without a slice nobody but the driver knows the UUIDs that the monitor wants.
void show_in_region(CUdevice ordinal, unsigned index) noexcept {
  CUuuid uuid = {};
  if (!g_process.region.is_open() || !read_uuid(ordinal, uuid)) return;
  char text[kUuidText];
  uuid_to_text(uuid, text);
  g_process.region.name_device(index, text);
}

}  // namespace

void uuid_to_text(const CUuuid& uuid, char (&text)[kUuidText]) noexcept {
  constexpr char kDigits[] = "0123456789abcdef";
  char* at = text;
  for (const char c : {'G', 'P', 'U', '-'}) *at++ = c;
  for (unsigned i = 0; i < sizeof uuid.bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = kDigits[uuid.bytes[i] >> 4U];
    *at++ = kDigits[uuid.bytes[i] & 15U];
  }
  *at = '\0';
}

int device_index(CUdevice ordinal) noexcept {
  if (ordinal < 0 || ordinal >= kOrdinals) return kUnknownDevice;
  const int known = g_index[ordinal].load(std::memory_order_relaxed);
  if (known > 0) [[likely]]
    return known - 1;
  const ErrnoGuard keep_errno;
  const int index =
      g_process.limits.source() == LimitSource::slice ? find_by_uuid(ordinal) : find_by_lists(ordinal);
  if (index >= 0) {
    show_in_region(ordinal, static_cast<unsigned>(index));
    g_index[ordinal].store(index + 1, std::memory_order_relaxed);
  }
  return index;
}

CUdevice ordinal_of(unsigned index) noexcept {
  int count = 0;
  if (driver<&CudaDriver::cuDeviceGetCount>(&count) != CUDA_SUCCESS) return -1;
  for (CUdevice ordinal = 0; ordinal < count; ++ordinal) {
    if (device_index(ordinal) == static_cast<int>(index)) return ordinal;
  }
  return -1;
}

int current_device_index(CUresult& status) noexcept {
  CUdevice ordinal = -1;
  status = driver<&CudaDriver::cuCtxGetDevice>(&ordinal);
  if (status != CUDA_SUCCESS) return kUnknownDevice;
  const int index = device_index(ordinal);
  if (index < 0) return index;
  g_process.account.touch(static_cast<unsigned>(index));
  if (g_only_device.load(std::memory_order_relaxed) == 0) learn_only_device(index);
  return index;
}

void learn_only_device(int index) noexcept {
  int count = 0;
  if (driver<&CudaDriver::cuDeviceGetCount>(&count) != CUDA_SUCCESS) return;
  g_only_device.store(count == 1 ? index + 1 : kSeveral, std::memory_order_relaxed);
}

void forget_only_device() noexcept { g_only_device.store(0, std::memory_order_relaxed); }

}  // namespace hami::vgpu
