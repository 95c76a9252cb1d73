// This process's side of the driver.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"
#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// A spin lock that is safe to leave uninitialised (zero is free) and to reset after fork.
class SpinLock {
 public:
  void lock();
  void unlock() { __atomic_store_n(&word_, 0, __ATOMIC_RELEASE); }

 private:
  int word_ = 0;
};

class SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

// True between a successful cuInit and a fork: a child of a process that used CUDA cannot use it.
bool is_initialised();

// cuInit's work. Registers the process.
CUresult initialise();

// The state and this process's slot in it; only after initialise().
State& state();
std::uint32_t slot();

// Devices of this process, after CUDA_VISIBLE_DEVICES and the nodes it can open.
int visible_devices();
bool is_device(CUdevice device);
// The place of an ordinal in State::devices.
std::uint32_t state_index(CUdevice device);

// The other way round; -1 for a card that this process does not see.
CUdevice ordinal_of(std::uint32_t index);
Device& device_of(CUdevice device);

}  // namespace hami::sim
