// The table of one driver library: which functions we replace, what the driver's own entry points are, and
// which address of the driver belongs to which of our functions.
#pragma once

#include <array>
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

// Every name is smaller than the next: what a table must be for the binary search in Library::find.
template <std::size_t N>
constexpr bool is_sorted(const std::array<std::string_view, N>& names) noexcept {
  for (std::size_t i = 1; i < N; ++i) {
    if (!(names[i - 1] < names[i])) return false;
  }
  return true;
}

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

  // What is known of an address that the driver gave to a program.
  struct Known {
    bool known;
    void* hook;  // our function to give instead; null: the driver's own stays
  };
  Known at(const void* address) const noexcept {
    for (std::uint32_t i = hash(address) % kSlots;; i = (i + 1) % kSlots) {
      const void* found = by_address_[i].address.load(std::memory_order_acquire);
      if (found == address) return {true, by_address_[i].hook};
      if (found == nullptr) return {false, nullptr};
    }
  }

  // Keeps what was found out about an address that is none of the table's, while there is room.
  void remember(const void* address, void* hook) noexcept;

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
  static std::uint32_t hash(const void* address) noexcept {
    return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(address) * 0x9e3779b97f4a7c15ULL) >>
                                      40U);
  }
  bool resolve(const char* path) noexcept;
  void insert(const void* address, void* hook) noexcept;
  void publish(void* const* found) noexcept;

  const char* soname_;
  const Row* rows_;
  unsigned count_;
  void* entry_points_;  // a struct of function pointers of many types: read and written as bytes
  std::atomic<int> ready_{0};
  SpinLock publishing_;
  // Written once each, under `publishing_`: the hook, then the address. Readers take no lock.
  struct Pair {
    std::atomic<const void*> address;
    void* hook;
  };
  Pair by_address_[kSlots] = {};
  unsigned pairs_ = 0;
};

}  // namespace hami::vgpu
