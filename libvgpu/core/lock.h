// A lock of one word for short critical sections without system calls. It lives in zeroed memory, needs no
// construction and is reset in the child of a fork.
#pragma once

#include <sched.h>

#include <atomic>
#include <cerrno>

namespace hami::vgpu {

class SpinLock {
 public:
  void lock() noexcept {
    for (int spins = 0; word_.exchange(1, std::memory_order_acquire) != 0; ++spins) {
      while (word_.load(std::memory_order_relaxed) != 0) {
        if (++spins > 200) ::sched_yield();  // the holder may have lost its core
      }
    }
  }
  bool try_lock() noexcept { return word_.exchange(1, std::memory_order_acquire) == 0; }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }

  // Only in the child of a fork, where no other thread exists.
  void reset() noexcept { word_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<unsigned> word_{0};
};

class LockGuard {
 public:
  explicit LockGuard(SpinLock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  SpinLock& lock_;
};

// Holds the lock when it was free; else holds nothing and does not wait.
class TryGuard {
 public:
  explicit TryGuard(SpinLock& lock) noexcept : lock_(lock), is_held_(lock.try_lock()) {}
  ~TryGuard() {
    if (is_held_) lock_.unlock();
  }
  TryGuard(const TryGuard&) = delete;
  TryGuard& operator=(const TryGuard&) = delete;

  explicit operator bool() const noexcept { return is_held_; }

 private:
  SpinLock& lock_;
  bool is_held_;
};

// Keeps errno as the program had it.
class ErrnoGuard {
 public:
  ErrnoGuard() noexcept : saved_(errno) {}
  ~ErrnoGuard() { errno = saved_; }
  ErrnoGuard(const ErrnoGuard&) = delete;
  ErrnoGuard& operator=(const ErrnoGuard&) = delete;

 private:
  int saved_;
};

}  // namespace hami::vgpu
