// The slice file: what a container may use. Written by hami-runtime (and later by hamictl) on the host,
// mounted read-only at /usr/local/vgpu/slice; the environment of a process can only lower what stands here.
//
// Fixed layout, little endian, plain data: C++ on one side, a preload library without libstdc++ on the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hami::abi {

inline constexpr std::uint64_t kSliceMagic = 0x314543494c534d48ULL;  // "HMSLICE1"
inline constexpr std::uint32_t kSliceVersion = 1;
inline constexpr std::uint32_t kMaxDevices = 16;
inline constexpr const char* kContainerDir = "/usr/local/vgpu";
inline constexpr const char* kSlicePath = "/usr/local/vgpu/slice";
inline constexpr const char* kUsagePath = "/usr/local/vgpu/usage";
inline constexpr const char* kLibraryPath = "/usr/local/vgpu/libvgpu.so";

// HAMi's GPU_CORE_UTILIZATION_POLICY.
enum class CorePolicy : std::uint32_t { work_conserving = 0, force = 1, disable = 2 };

enum SliceFlags : std::uint32_t {
  kSliceOversubscribe = 1U << 0U,    // CUDA_OVERSUBSCRIBE: managed memory may stand in for device memory
  kSliceActiveOomKiller = 1U << 1U,  // ACTIVE_OOM_KILLER: a request over the limit ends its process
};

struct SliceDevice {
  char uuid[64];               // "GPU-…", NUL-terminated
  std::uint64_t memory_limit;  // bytes; 0: no limit
  std::uint32_t core_limit;    // percent, 1 to 100; 0: no limit
  std::uint32_t memory_wait;   // seconds for which a request waits for a card that is full; 0: it does not
};

struct SliceFile {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;      // sizeof(SliceFile)
  std::uint32_t checksum;  // slice_checksum(); covers everything behind this member
  std::uint32_t device_count;
  std::uint64_t generation;  // grows with every change of a running container's limits
  std::uint32_t core_policy;
  std::uint32_t flags;
  std::int32_t priority;      // CUDA_TASK_PRIORITY: 0 is high, larger is lower
  std::uint32_t share_floor;  // thousandths of a card that more important tasks leave to this one; 0: 50
  char container_key[128];
  SliceDevice devices[kMaxDevices];
};

static_assert(sizeof(SliceDevice) == 80);
static_assert(offsetof(SliceFile, device_count) == 20);
static_assert(offsetof(SliceFile, devices) == 176);
static_assert(sizeof(SliceFile) == 176 + kMaxDevices * 80);

// FNV-1a over the bytes behind `checksum`. A writer that changes a mapped file makes the checksum wrong for a
// moment: readers retry, and keep the limits they had.
inline std::uint32_t slice_checksum(const SliceFile& slice) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&slice);
  std::uint32_t hash = 2166136261U;
  for (std::size_t i = offsetof(SliceFile, device_count); i < sizeof(SliceFile); ++i) {
    hash = (hash ^ bytes[i]) * 16777619U;
  }
  return hash;
}

inline void seal(SliceFile& slice) noexcept {
  slice.magic = kSliceMagic;
  slice.version = kSliceVersion;
  slice.size = sizeof(SliceFile);
  slice.checksum = slice_checksum(slice);
}

// Everything a reader must check before it believes a slice.
inline bool is_valid(const SliceFile& slice) noexcept {
  if (slice.magic != kSliceMagic || slice.version != kSliceVersion || slice.size != sizeof(SliceFile))
    return false;
  if (slice.device_count > kMaxDevices || slice.checksum != slice_checksum(slice)) return false;
  for (std::uint32_t i = 0; i < slice.device_count; ++i) {
    const SliceDevice& device = slice.devices[i];
    if (std::memchr(device.uuid, 0, sizeof device.uuid) == nullptr || device.core_limit > 100) return false;
  }
  return true;
}

}  // namespace hami::abi
