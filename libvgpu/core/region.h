// Keeps HAMi's shared region up to date, for its monitor.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/hami_region.h"
#include "libvgpu/abi/usage.h"

namespace hami::vgpu {

// What a new region says besides the memory limits.
struct RegionSettings {
  std::uint64_t sm_limit[abi::kRegionDevices];  // percent
  std::int32_t priority = 1;                    // CUDA_TASK_PRIORITY: 0 is high
};

class Region {
 public:
  // Maps the region in the file at `path`, and makes one there when there is none. False, with a log line,
  // when that is not possible.
  bool open(const char* path, const RegionSettings& settings) noexcept;

  bool is_open() const noexcept { return region_ != nullptr; }

  // Writes the limits, and empties every slot: for the first process after all others have gone.
  void reset(const std::uint64_t* memory_limits, const RegionSettings& settings) noexcept;

  // The device's UUID text, as soon as somebody knows it.
  void name_device(unsigned device, const char* uuid) noexcept;

  // The slot of a process: the same index as on the usage page. Slots from 1024 on are not shown.
  void attach(std::uint32_t slot, std::uint32_t pid, std::uint32_t host_pid) noexcept;

  // Where the process of `slot` shows what it holds; null for slots that are not shown.
  abi::RegionSlot* slot(std::uint32_t slot) const noexcept {
    return slot < abi::kRegionSlots ? &region_->slots[slot] : nullptr;
  }

  // That process holds so much more on a device now, or less: `bytes` may be below 0. Additions, because
  // threads overtake each other.
  static void add(abi::RegionSlot& slot, unsigned device, std::uint64_t bytes) noexcept {
    abi::RegionUse& use = slot.used[device];
    use.data_size.fetch_add(bytes, std::memory_order_relaxed);
    use.total.fetch_add(bytes, std::memory_order_release);
  }

  // Empties the slots that have no owner on the usage page.
  void drop_dead(const abi::UsagePage& page) noexcept;

  // What the monitor says about neighbours, see libvgpu/share/policy.h.
  std::int32_t utilization_switch() const noexcept {
    return region_->utilization_switch.load(std::memory_order_relaxed);
  }
  std::int32_t recent_kernel() const noexcept {
    return region_->recent_kernel.load(std::memory_order_relaxed);
  }

  // The container launched something at `unix_seconds`: `recent` is what the monitor counts down.
  void note_kernel(std::int32_t recent, std::uint64_t unix_seconds) noexcept {
    region_->recent_kernel.store(recent, std::memory_order_relaxed);
    region_->last_kernel_time.store(unix_seconds, std::memory_order_relaxed);
  }

  // The limits, as the monitor may change them.
  const std::atomic<std::uint64_t>* limits() const noexcept { return region_->limit; }

 private:
  std::uint32_t slots_in_use() const noexcept;

  abi::HamiRegion* region_ = nullptr;
};

// Initialises zeroed memory as a region without processes.
void init_region(abi::HamiRegion& region, const RegionSettings& settings) noexcept;

}  // namespace hami::vgpu
