// The limits of this container: what the slice file says, lowered by the environment, or the environment
// alone.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/slice.h"
#include "libvgpu/core/environment.h"
#include "libvgpu/core/lock.h"

namespace hami::vgpu {

enum class LimitSource : int {
  none,         // neither slice nor variables: the library stays out of the way
  slice,        // the slice file
  environment,  // variables only
  unusable,     // there are limits, but they cannot be read: everything that allocates must fail
};

class Limits {
 public:
  // Reads both sources; logs one line when a limit is unusable. Must be done before anything else.
  LimitSource load(const char* slice_path, Lookup lookup) noexcept;

  // Bytes of device memory that the container may use on its device `device`; 0: no limit. One load and a
  // comparison when nothing changed; a slice that was rewritten takes effect here.
  std::uint64_t memory(unsigned device) noexcept {
    if (live_ != nullptr && generation() != seen_.load(std::memory_order_acquire)) refresh();
    if (followed_ != nullptr) {
      const std::uint64_t now = followed_[device].load(std::memory_order_relaxed);
      if (now != as_found_[device]) return now;
    }
    return effective_[device].load(std::memory_order_relaxed);
  }

  // Percent of a device's time that the container may use, 1 to 99; 0: no limit.
  std::uint32_t core(unsigned device) noexcept {
    if (live_ != nullptr && generation() != seen_.load(std::memory_order_acquire)) refresh();
    return core_[device].load(std::memory_order_relaxed);
  }

  // How the slice says that core limits hold, and the floor of a task of low priority in thousandths (0: not
  // said). Both follow a slice that is rewritten.
  abi::CorePolicy core_policy() const noexcept {
    return static_cast<abi::CorePolicy>(core_policy_.load(std::memory_order_relaxed));
  }
  std::uint32_t share_floor() const noexcept { return share_floor_.load(std::memory_order_relaxed); }

  // True when the slice was rewritten since the limits were last asked for.
  bool has_changed() const noexcept {
    return live_ != nullptr && generation() != seen_.load(std::memory_order_acquire);
  }

  // Without a slice: limits that an operator's monitor may write while we run. What it says when it differs
  // from what stands there now is the limit.
  void follow(const std::atomic<std::uint64_t>* limits) noexcept;

  // The same as `other` follows, from where that found them.
  void follow_as(const Limits& other) noexcept;

  // The container's index of the device with this UUID text; -1 when the slice does not name it.
  int find(const char* uuid) const noexcept;

  LimitSource source() const noexcept { return source_; }
  // The slice as it was at the start. Only when the source is `slice`.
  const abi::SliceFile& slice() const noexcept { return copy_; }

 private:
  std::uint64_t generation() const noexcept { return __atomic_load_n(&live_->generation, __ATOMIC_ACQUIRE); }
  bool map_slice(const char* path, bool& absent) noexcept;
  void refresh() noexcept;
  void apply(const abi::SliceFile& slice) noexcept;

  LimitSource source_ = LimitSource::none;
  const abi::SliceFile* live_ = nullptr;                         // mapped read-only
  std::atomic<std::uint64_t> seen_{0};                           // generation that `effective_` was made from
  std::atomic<std::uint64_t> effective_[abi::kMaxDevices] = {};  // bytes
  std::atomic<std::uint32_t> core_[abi::kMaxDevices] = {};       // percent
  std::atomic<std::uint32_t> core_policy_{0};
  std::atomic<std::uint32_t> share_floor_{0};
  const std::atomic<std::uint64_t>* followed_ = nullptr;
  std::uint64_t as_found_[abi::kMaxDevices] = {};  // `followed_` at the start
  EnvironmentLimits environment_;
  abi::SliceFile copy_ = {};
  SpinLock refreshing_;
};

// A consistent copy of a slice that its writer may be changing; false when it is not a valid one.
bool copy_slice(const abi::SliceFile& live, abi::SliceFile& copy) noexcept;

}  // namespace hami::vgpu
