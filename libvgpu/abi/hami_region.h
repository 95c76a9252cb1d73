// The shared region as HAMi's vGPUmonitor reads it, layout 1.2 (1.1 differs in the meaning of unused words
// only). The monitor knows the layout by the file's size and reads by offset, so nothing here may move.
//
// For libvgpu this is a mirror: what counts are the usage page and the slice file. Only limits that the
// monitor writes, in containers that have no slice, are taken from here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hami::abi {

inline constexpr std::int32_t kRegionMagic = 19920718;
inline constexpr std::uint32_t kRegionMajor = 1;
inline constexpr std::uint32_t kRegionMinor = 2;
inline constexpr std::uint32_t kRegionDevices = 16;
inline constexpr std::uint32_t kRegionSlots = 1024;
inline constexpr std::int32_t kRegionRunning = 1;  // RegionSlot::status; 0: free, 2: suspended

// What one process holds on one device, bytes.
struct RegionUse {
  std::uint64_t context_size;
  std::uint64_t module_size;
  std::atomic<std::uint64_t> data_size;
  std::uint64_t offset;
  std::atomic<std::uint64_t> total;
  std::uint64_t unused[3];
};

struct RegionUtilisation {
  std::uint64_t decoder;
  std::uint64_t encoder;
  std::atomic<std::uint64_t> multiprocessors;  // percent
  std::uint64_t unused[3];
};

struct RegionSlot {
  std::atomic<std::int32_t> pid;       // in the container's namespace
  std::atomic<std::int32_t> host_pid;  // 0: unknown
  RegionUse used[kRegionDevices];
  std::uint64_t monitor_used[kRegionDevices];  // bytes as NVML has them
  RegionUtilisation utilisation[kRegionDevices];
  std::atomic<std::int32_t> status;
  std::int32_t padding;
  std::uint64_t seqlock;
  std::uint64_t unused[2];
};

struct HamiRegion {
  std::atomic<std::int32_t> magic;  // written last
  std::uint32_t major_version;
  std::uint32_t minor_version;
  std::int32_t sm_init_flag;
  std::uint64_t owner_pid;
  std::uint64_t semaphore[4];  // a sem_t of glibc with value 1; nobody of ours waits on it
  std::atomic<std::uint64_t> device_count;
  char uuids[kRegionDevices][96];
  std::atomic<std::uint64_t> limit[kRegionDevices];     // bytes; 0: none
  std::atomic<std::uint64_t> sm_limit[kRegionDevices];  // percent
  RegionSlot slots[kRegionSlots];
  std::atomic<std::int32_t> slots_in_use;  // slots 0 to this, holes allowed
  std::atomic<std::int32_t> utilization_switch;
  std::atomic<std::int32_t> recent_kernel;
  std::int32_t priority;
  std::atomic<std::uint64_t> last_kernel_time;  // Unix seconds
  std::uint64_t start_semaphore[4];
};

static_assert(sizeof(RegionUse) == 64 && sizeof(RegionUtilisation) == 48 && sizeof(RegionSlot) == 1960);
static_assert(offsetof(RegionSlot, used) == 8 && offsetof(RegionSlot, monitor_used) == 1032 &&
              offsetof(RegionSlot, utilisation) == 1160 && offsetof(RegionSlot, status) == 1928 &&
              offsetof(RegionSlot, seqlock) == 1936);
static_assert(offsetof(RegionUse, data_size) == 16 && offsetof(RegionUse, total) == 32);
static_assert(offsetof(HamiRegion, owner_pid) == 16 && offsetof(HamiRegion, semaphore) == 24 &&
              offsetof(HamiRegion, device_count) == 56 && offsetof(HamiRegion, uuids) == 64 &&
              offsetof(HamiRegion, limit) == 1600 && offsetof(HamiRegion, sm_limit) == 1728 &&
              offsetof(HamiRegion, slots) == 1856);
static_assert(offsetof(HamiRegion, slots_in_use) == 2'008'896 &&
              offsetof(HamiRegion, utilization_switch) == 2'008'900 &&
              offsetof(HamiRegion, recent_kernel) == 2'008'904 &&
              offsetof(HamiRegion, priority) == 2'008'908 &&
              offsetof(HamiRegion, last_kernel_time) == 2'008'912 &&
              offsetof(HamiRegion, start_semaphore) == 2'008'920);
static_assert(sizeof(HamiRegion) == 2'008'952);

// Where the usage page begins in a file that holds both: libvgpu used alone. The monitor accepts larger
// files.
inline constexpr std::uint64_t kPageAfterRegion = 2'011'136;
static_assert(kPageAfterRegion % 4096 == 0 && kPageAfterRegion > sizeof(HamiRegion));

}  // namespace hami::abi
