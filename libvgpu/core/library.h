// The table of one driver library: which functions we replace, what the driver's own entry points are, and
// which address of the driver belongs to which of our functions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "libvgpu/core/lock.h"

namespace hami::vgpu {

// One function: our replacement, or null for one that we only call.
struct Row {
  const char* symbol;
  void* hook;
  int since;  // CUDA version that brought this variant; 0 where versions play no part
};

// Tables are sorted by symbol: a look-up is a binary search.
class Library {
 public:
  // `entry_points`: one address per row, filled when the driver is found; null for what this driver lacks.
  constexpr Library(const char* soname, const Row* rows, unsigned count, void* entry_points) noexcept
      : soname_(soname), rows_(rows), count_(count), entry_points_(entry_points) {}

  // Index of `symbol` in the table, -1 when it is not there.
  int find(std::string_view symbol) const noexcept;

  // Makes the entry points usable. Opens the driver when the program has not. False: there is no driver.
  bool load() noexcept {
    if (ready_.load(std::memory_order_acquire) == kReady) [[likely]]
      return true;
    return resolve(nullptr);
  }

  // The same for the copy of the driver that contains `address`, without opening anything. False when
  // `address` is not in a library of this name.
  bool load_from(const void* address) noexcept;

  // What to give a program instead of the driver's `address`: our function, or null for the driver's own.
  void* hook_at(const void* address) const noexcept;

  void* entry_point(int index) const noexcept {
    void* address = nullptr;
    std::memcpy(&address, slot(static_cast<unsigned>(index)), sizeof address);
    return address;
  }
  const Row& row(int index) const noexcept { return rows_[index]; }

 private:
  static constexpr unsigned kSlots =
      1024;  // of the address table; a power of two, well above the number of rows
  static constexpr int kReady = 2;

  unsigned char* slot(unsigned index) const noexcept {
    return static_cast<unsigned char*>(entry_points_) + index * sizeof(void*);
  }
  bool resolve(const char* path) noexcept;
  void publish(void* const* found) noexcept;

  const char* soname_;
  const Row* rows_;
  unsigned count_;
  void* entry_points_;  // a struct of function pointers of many types: read and written as bytes
  std::atomic<int> ready_{0};
  SpinLock publishing_;
  struct Pair {
    const void* address;
    void* hook;
  };
  Pair by_address_[kSlots] = {};
};

}  // namespace hami::vgpu
