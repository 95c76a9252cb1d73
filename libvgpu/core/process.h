// The state of the library in this process: nothing until the first CUDA or NVML call that it replaces.
#pragma once

#include <atomic>

#include "libvgpu/core/account.h"
#include "libvgpu/core/boards.h"
#include "libvgpu/core/joint.h"
#include "libvgpu/core/limits.h"
#include "libvgpu/core/physical.h"
#include "libvgpu/core/records.h"

namespace hami::vgpu {

enum class Mode : int {
  unknown,
  off,       // no limits: every call goes straight to the driver
  on,        // limits hold
  unusable,  // limits exist and cannot be held: what allocates must fail
};

// The environment's file of the shared page when there is no slice, as HAMi-core names it.
inline constexpr const char* kSharedCacheVariable = "CUDA_DEVICE_MEMORY_SHARED_CACHE";
inline constexpr const char* kSharedCacheDefault = "/tmp/cudevshr.cache";

struct Process {
  std::atomic<Mode> mode{Mode::unknown};
  Limits limits;
  Account account;
  Region region;  // open when HAMi's monitor may look for it
  Records records;
  PhysicalMemory physical;
  JointMemory joint;
  SpinLock starting;
  abi::Board* board = nullptr;  // what the neighbours may know of us; nullptr: nobody asked
  std::uint64_t board_inode = 0;
  // Whether launches are paced; see update_pacing().
  std::atomic<bool> is_paced{false};
  abi::CorePolicy environment_policy = abi::CorePolicy::work_conserving;

  // How core limits hold.
  abi::CorePolicy core_policy() const noexcept {
    return limits.source() == LimitSource::slice ? limits.core_policy() : environment_policy;
  }
};

extern constinit Process g_process;

// Reads the limits and opens the page; at most once per process.
Mode start() noexcept;

// In the child of a fork, which has one thread, no slot and no CUDA objects.
void forget_process() noexcept;

// Decides whether launches are paced: where a core limit holds, and where neighbours want to know. A slice
// that was rewritten while we run may ask for it. Returns the answer.
bool update_pacing() noexcept;

// How this process is held. One load after the first call.
inline Mode mode() noexcept {
  const Mode known = g_process.mode.load(std::memory_order_acquire);
  return known != Mode::unknown ? known : start();
}

}  // namespace hami::vgpu
