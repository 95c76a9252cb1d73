// This process's account on the container's usage page: admit before a driver call, give back after.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/usage.h"
#include "libvgpu/core/lock.h"
#include "libvgpu/core/region.h"

namespace hami::vgpu {

enum class Verdict : int {
  admitted,
  refused,   // the limit would be passed
  unusable,  // no slot is left on the page: nothing can be recorded
};

// One process of the container, and what it holds on one device.
struct ProcessUse {
  std::uint32_t pid = 0;       // in the container's namespace
  std::uint32_t host_pid = 0;  // 0: unknown
  std::uint64_t bytes = 0;
};

class Account {
 public:
  // Maps the page at `path` from byte `offset` on. False, with a log line, when it is no usable page.
  bool open(const char* path, std::uint64_t offset) noexcept;

  // Uses the page that `first` opened, for another copy of this library in the same process: a slot of its
  // own, everything that the kernel knows of a process together. False when that is not possible.
  bool share(const Account& first) noexcept;

  // Takes `bytes` on the container's device `device` when the container then holds no more than `limit` bytes
  // (0: no limit). Gives back what dead processes held before it refuses. Lock-free unless it refuses.
  //
  // Whoever admits also shows: show() tells the monitor's region once the bytes have a purpose. What goes
  // back before that was never shown: withdraw().
  Verdict admit(unsigned device, std::uint64_t bytes, std::uint64_t limit) noexcept;

  // Takes `bytes` that exist already, even beyond the limit: the driver holds them whatever we say.
  void charge(unsigned device, std::uint64_t bytes) noexcept;

  // Shows `bytes` that were admitted in the region. Before the program learns of the memory: so nobody takes
  // back what is not shown yet.
  void show(unsigned device, std::uint64_t bytes) noexcept {
    if (shown_ != nullptr && bytes != 0) Region::add(*shown_, device, bytes);
  }

  // Gives back what was admitted and not shown.
  void withdraw(unsigned device, std::uint64_t bytes) noexcept;

  // Gives back what was admitted and shown, or charged.
  void refund(unsigned device, std::uint64_t bytes) noexcept;

  // Bytes the container holds on a device. Looks for dead processes now and then, so that what they held is
  // gone soon after their end.
  std::uint64_t used(unsigned device) noexcept;

  // Bytes this process holds on a device.
  std::uint64_t own(unsigned device) const noexcept;

  // Notes that this process uses a device, for the lists of processes.
  void touch(unsigned device) noexcept {
    abi::UsageSlot* mine = slot();
    const std::uint64_t bit = std::uint64_t{1} << device;
    if (mine != nullptr && (mine->devices.load(std::memory_order_relaxed) & bit) == 0)
      mine->devices.fetch_or(bit);
  }

  // The container's processes that use a device: writes up to `room` of them, returns how many there are.
  unsigned processes(unsigned device, ProcessUse* out, unsigned room) noexcept;

  // The process of this container that the host knows as `host_pid`; 0 when there is none, or nobody told us.
  std::uint32_t pid_of_host(std::uint32_t host_pid) const noexcept;

  // What the host calls a process of this container; 0 when nobody told us.
  std::uint32_t host_of_pid(std::uint32_t pid) const noexcept;

  // What the host calls this process; 0 while nobody knows.
  std::uint32_t own_host_pid() const noexcept {
    const abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
    const std::uint32_t known = mine == nullptr ? 0 : mine->host_pid.load(std::memory_order_relaxed);
    return known == 0 && first_ != nullptr ? first_->own_host_pid() : known;
  }
  void tell_host_pid(std::uint32_t host_pid) noexcept;

  // Between these two nobody else of the container is between them. False: somebody is.
  bool try_exclusive() noexcept;
  void end_exclusive() noexcept;

  // The same around changes of what processes hold jointly; false also when this process has no slot. In
  // between nobody repairs, and this process may neither admit nor look for dead ones.
  bool begin_joint() noexcept;
  void end_joint() noexcept;

  // Then: the bytes of a piece are no longer ours but its own.
  void hand_over(abi::JointPiece& piece) noexcept;
  // Then: nobody has the piece any more, whose bytes are its own.
  void drop(abi::JointPiece& piece) noexcept;

  // The index of our slot; kMaxSlots without one.
  std::uint32_t self() const noexcept;

  // True when a process of this container has used a device.
  bool has_process(std::uint32_t pid) const noexcept;

  // From now on the region shows what is recorded here. Joins the page, and calls first(data) before when no
  // other process is on it; of processes that start together only one is the first.
  void mirror_to(Region& region, void (*first)(void* data) noexcept, void* data) noexcept;

  // In the child of a fork: the parent's slot is not ours, and its locks may have been held.
  void forget() noexcept;

  // A number that no other piece of this container or of another has.
  std::uint64_t new_key() const noexcept;

  abi::UsagePage* page() const noexcept { return page_; }
  bool is_open() const noexcept { return page_ != nullptr; }

 private:
  abi::UsageSlot* slot() noexcept {
    abi::UsageSlot* mine = slot_.load(std::memory_order_acquire);
    return mine != nullptr ? mine : join();
  }
  abi::UsageSlot* join() noexcept;
  abi::UsageSlot* take_free_slot() noexcept;
  bool take_slot(std::uint32_t index) noexcept;
  bool back_slots(std::uint32_t index) noexcept;
  bool has_file() const noexcept;
  bool keep_file() noexcept;
  void hold_life() noexcept;
  bool wait_for_byte(std::uint64_t byte, int milliseconds) noexcept;
  // A change of `committed` under way: the marked word of our slot. Null when there is no slot.
  struct Change {
    std::atomic<std::uint64_t>* word;
    std::uint64_t before;  // what the word said, when only this thread writes it
    bool is_own;
  };
  Change enter(unsigned device) noexcept;
  static void leave(const Change& change, std::uint64_t bytes) noexcept;
  void end(const Change& change, std::uint64_t bytes) noexcept;
  bool try_commit(unsigned device, std::uint64_t bytes, std::uint64_t limit) noexcept;
  void wait_for_gate() noexcept;
  std::uint32_t sweep() noexcept;
  void sweep_now_and_then() noexcept;
  bool is_alone() const noexcept;
  template <typename Visit>
  void each_slot(Visit visit) const noexcept;
  bool has_others() noexcept;
  SpinLock& sweeping() noexcept { return first_ != nullptr ? first_->sweeping_ : sweeping_; }
  SpinLock& excluding() noexcept { return first_ != nullptr ? first_->excluding_ : excluding_; }

  abi::UsagePage* page_ = nullptr;
  int fd_ = 0;                // of the page's file, while there is a page
  std::uint64_t offset_ = 0;  // where the page begins in it
  char path_[256] = {};       // of the page's file; empty: too long to remember
  std::uint64_t inode_ = 0;   // of the page's file
  std::uint64_t device_ = 0;
  std::uint64_t life_ = 0;  // see UsageSlot::life
  int life_holder_ = 0;     // pid of the process that took it
  Region* mirror_ = nullptr;
  abi::RegionSlot* shown_ = nullptr;  // our slot of the mirror; set before `slot_`
  std::atomic<abi::UsageSlot*> slot_{nullptr};
  SpinLock joining_;
  SpinLock sweeping_;
  SpinLock excluding_;
  Account* first_ = nullptr;  // whose page this is, when another one's
};

// Bytes held until somebody takes them over: given back on every path that forgets to. Made by reserve().
class Reservation {
 public:
  Reservation(Account& account, unsigned device, std::uint64_t bytes, Verdict verdict) noexcept
      : account_(&account), device_(device), bytes_(bytes), verdict_(verdict) {}
  ~Reservation() {
    if (verdict_ == Verdict::admitted && bytes_ != 0) account_->withdraw(device_, bytes_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  explicit operator bool() const noexcept { return verdict_ == Verdict::admitted; }
  Verdict verdict() const noexcept { return verdict_; }
  unsigned device() const noexcept { return device_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

  // The true size is known now. False when it is larger than what was admitted and does not fit under
  // `limit`: then nothing changed.
  bool settle(std::uint64_t bytes, std::uint64_t limit) noexcept {
    if (bytes > bytes_ && account_->admit(device_, bytes - bytes_, limit) != Verdict::admitted) return false;
    if (bytes < bytes_) account_->withdraw(device_, bytes_ - bytes);
    bytes_ = bytes;
    return true;
  }

  // The bytes live on in a record of ours. Returns how many.
  std::uint64_t commit() noexcept {
    const std::uint64_t kept = bytes_;
    bytes_ = 0;
    account_->show(device_, kept);
    return kept;
  }

 private:
  Account* account_;
  unsigned device_;
  std::uint64_t bytes_;
  Verdict verdict_;
};

}  // namespace hami::vgpu
