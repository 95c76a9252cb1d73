// The table of one driver library: which functions we replace, what the driver's own entry points are, and
// which address of the driver belongs to which of our functions.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libvgpu/core/lock.h"

namespace hami::vgpu {

// The hash that the loader's tables use.
constexpr std::uint32_t symbol_hash(const char* symbol) noexcept {
  std::uint32_t hash = 5381;
  for (; *symbol != '\0'; ++symbol) hash = hash * 33 + static_cast<unsigned char>(*symbol);
  return hash;
}

// Is `path` a file of the library `soname`? "/usr/lib/libcuda.so.550.54" is one of "libcuda.so.1": the same
// name up to ".so".
bool is_file_of(const char* path, const char* soname) noexcept;

// One function: our replacement, or null for one that we only call.
struct Row {
  const char* symbol;
  void* hook;
  int since;           // CUDA version that brought this variant; 0 where versions play no part
  std::uint32_t hash;  // symbol_hash(symbol)
};

// Every name is smaller than the next: what a table must be for the binary search in Library::find.
template <std::size_t N>
constexpr bool is_sorted(const std::array<std::string_view, N>& names) noexcept {
  for (std::size_t i = 1; i < N; ++i) {
    if (!(names[i - 1] < names[i])) return false;
  }
  return true;
}

// What was found of one driver. In zeroed memory: a process that never calls it does not touch this.
struct LibraryState {
  static constexpr unsigned kSlots = 1024;   // a power of two, well above the number of rows
  static constexpr unsigned kLearned = 512;  // the same for addresses that are none of the table's

  // Written once each, under the lock: the hook, then the address. Readers take no lock.
  struct Pair {
    std::atomic<const void*> address;
    void* hook;
  };

  std::atomic<int> ready;
  SpinLock publishing;
  unsigned learned_count;
  std::atomic<std::uint16_t> row_by_address[kSlots];  // index + 1, at the address's hash or behind; 0: none
  Pair learned[kLearned];
};

// Tables are sorted by symbol: a look-up is a binary search.
class Library {
 public:
  // `entry_points`: one address per row, filled when the driver is found; null for what this driver lacks.
  constexpr Library(const char* soname, const Row* rows, unsigned count, void* entry_points,
                    LibraryState* state) noexcept
      : soname_(soname), rows_(rows), count_(count), entry_points_(entry_points), state_(state) {}

  // Index of `symbol` in the table, -1 when it is not there.
  int find(std::string_view symbol) const noexcept;

  // Makes the entry points usable. Opens the driver when the program has not. False: there is no driver.
  bool load() const noexcept {
    if (state_->ready.load(std::memory_order_acquire) == kReady) [[likely]]
      return true;
    return resolve(nullptr);
  }

  // The same for the copy of the driver that contains `address`, which the loader gave for row `index`,
  // without opening anything. False when `address` is not in a library of this name.
  bool load_from(const void* address, int index) const noexcept;

  // What is known of an address that the driver gave to a program.
  struct Known {
    bool known;
    void* hook;  // our function to give instead; null: the driver's own stays
  };
  Known at(const void* address) const noexcept {
    const std::uint32_t home = hash(address);
    for (std::uint32_t i = home;; ++i) {
      const unsigned row = state_->row_by_address[i % LibraryState::kSlots].load(std::memory_order_acquire);
      if (row == 0) return learned(address, home);
      if (entry_point(static_cast<int>(row) - 1) == address) return {true, rows_[row - 1].hook};
    }
  }

  // Keeps what was found out about an address that is none of the table's, while there is room.
  void remember(const void* address, void* hook) const noexcept;

  void* entry_point(int index) const noexcept {
    return reinterpret_cast<void*>(
        __atomic_load_n(static_cast<const Word*>(entry_points_) + index, __ATOMIC_ACQUIRE));
  }
  const Row& row(int index) const noexcept { return rows_[index]; }

 private:
  static constexpr int kReady = 2;
  // The entry points are a struct of function pointers of many types.
  using Word __attribute__((may_alias)) = std::uintptr_t;

  static std::uint32_t hash(const void* address) noexcept {
    return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(address) * 0x9e3779b97f4a7c15ULL) >>
                                      40U);
  }
  Known learned(const void* address, std::uint32_t home) const noexcept;
  bool resolve(const char* path) const noexcept;
  void find_all(void* handle, void** found) const noexcept;
  void insert(unsigned index) const noexcept;
  void publish(void* const* found) const noexcept;

  const char* soname_;
  const Row* rows_;
  unsigned count_;
  void* entry_points_;
  LibraryState* state_;
};

}  // namespace hami::vgpu
