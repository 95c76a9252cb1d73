// The usage page: one per container, shared read-write by its processes and read by the host. Created, sized
// (fallocate: no SIGBUS on a full disk) and initialised by hami-runtime before the container starts; mounted at
// /usr/local/vgpu/usage. Host side: /run/hami/containers/<key>/usage.
//
// Every process of the container can write it; limits are therefore not in here but in the slice file.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libvgpu/abi/slice.h"

namespace hami::abi {

inline constexpr std::uint64_t kUsageMagic = 0x3145474153554d48ULL;  // "HMUSAGE1"
inline constexpr std::uint32_t kUsageVersion = 1;
inline constexpr std::uint32_t kMaxSlots = 2048;  // processes per container with their own record

// Bytes admitted on one device, by all processes together. `committed` is the one word that admission changes.
struct alignas(64) UsageDevice {
  char uuid[64];
  std::atomic<std::uint64_t> committed;  // bytes
  std::atomic<std::uint64_t> peak;       // highest `committed` that was admitted
  std::atomic<std::uint64_t> refused;    // requests refused because of the limit
  std::uint64_t reserved[5];
};

// One process. `state` is 0 when free. A dead process's bytes are given back by whoever repairs the page.
struct alignas(64) UsageSlot {
  std::atomic<std::uint64_t> owner;       // pid in the container's namespace << 32 | generation; 0: free
  std::atomic<std::uint64_t> start_time;  // field 22 of /proc/self/stat, against reused pids
  std::atomic<std::uint32_t> host_pid;    // filled from outside; 0: unknown
  std::atomic<std::uint32_t> flags;       // bit 0: enforcement is active in this process
  std::uint64_t reserved[5];
  std::atomic<std::uint64_t> used[kMaxDevices];      // bytes settled
  std::atomic<std::uint64_t> inflight[kMaxDevices];  // bytes admitted, driver call not yet answered
};

struct UsagePage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;
  std::uint32_t device_count;
  std::uint32_t slot_count;
  std::atomic<std::uint32_t> repair_gate;  // non-zero: pid of the process that recomputes `committed`
  std::atomic<std::uint32_t> repair_epoch;
  std::uint64_t reserved[4];
  UsageDevice devices[kMaxDevices];
  UsageSlot slots[kMaxSlots];
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(UsageDevice) == 128 && sizeof(UsageSlot) == 320);
static_assert(offsetof(UsagePage, devices) == 64 && offsetof(UsagePage, slots) == 64 + kMaxDevices * 128);

// Prepares zeroed memory of sizeof(UsagePage) bytes for the devices of `slice`.
inline void init_usage_page(void* memory, const SliceFile& slice) noexcept {
  auto* page = static_cast<UsagePage*>(memory);
  page->version = kUsageVersion;
  page->size = sizeof(UsagePage);
  page->device_count = slice.device_count;
  page->slot_count = kMaxSlots;
  for (std::uint32_t i = 0; i < slice.device_count; ++i) {
    std::memcpy(page->devices[i].uuid, slice.devices[i].uuid, sizeof page->devices[i].uuid);
  }
  std::atomic_thread_fence(std::memory_order_release);
  page->magic = kUsageMagic;
}

}  // namespace hami::abi
