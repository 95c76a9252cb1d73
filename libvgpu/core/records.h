// What this process allocated: which object holds how many bytes of which device. One table for everything
// that has a 64-bit name (addresses, arrays, handles), sharded by the name, open addressing, 16 bytes per
// entry at no more than three quarters full; memory comes from mmap, never from the program's heap.
#pragma once

#include <cstdint>
#include <optional>

#include "libvgpu/core/lock.h"

namespace hami::vgpu {

// Names of different kinds may be equal numbers. Zero marks an empty entry.
enum class Space : unsigned {
  pointer = 1,          // linear device memory
  array = 2,            // CUarray
  mipmap = 3,           // CUmipmappedArray
  external_memory = 4,  // CUexternalMemory
  context = 5,          // what a context costs
  module = 6,           // CUmodule
  library = 7,          // CUlibrary
  pooled = 8,           // stream-ordered memory: what its pool holds is charged, this only says which pool
  last = 15,
};

// One charge. `bytes` is a multiple of 512 and below 2^47; `owner` says whose end takes the object along (a
// context's number), 0 for nobody's.
struct Record {
  std::uint64_t bytes = 0;
  unsigned device = 0;
  unsigned owner = 0;
};

inline constexpr std::uint64_t kRecordUnit = 512;

class Records {
 public:
  // Remembers an object. Returns what an object of the same name held before: the driver reuses names, so
  // that one is gone. False in `stored` when there is no memory for the table.
  std::optional<Record> insert(Space space, std::uint64_t name, const Record& record, bool& stored) noexcept;

  // Removes an object and returns what it held.
  std::optional<Record> take(Space space, std::uint64_t name) noexcept;

  // Removes the linear memory and arrays of `owner` and hands each to `visit(context, record)`.
  void take_owned(unsigned owner, void (*visit)(void* context, const Record& record), void* context) noexcept;

  // In the child of a fork: the objects are the parent's.
  void forget() noexcept;

 private:
  static constexpr unsigned kShards = 64;
  static constexpr unsigned kFirstCapacity = 64;

  // Word 0 is the name, word 1 packs space, device, owner and size: see pack().
  struct Entry {
    std::uint64_t name;
    std::uint64_t packed;  // 0: empty
  };
  struct alignas(64) Shard {
    SpinLock lock;
    std::uint32_t count;
    std::uint32_t mask;  // capacity - 1; 0: still in `first`
    Entry* entries;      // null: still in `first`
    Entry first[kFirstCapacity];

    Entry* data() noexcept { return entries != nullptr ? entries : first; }
    std::uint32_t limit() const noexcept { return mask != 0 ? mask : kFirstCapacity - 1; }
  };

  static std::uint64_t hash(Space space, std::uint64_t name) noexcept;
  static std::uint64_t pack(Space space, const Record& record) noexcept;
  static Record unpack(std::uint64_t packed) noexcept;
  static bool has_owner(Space space) noexcept;
  static Space space_of(std::uint64_t packed) noexcept;
  static Entry* find(Shard& shard, Space space, std::uint64_t name, std::uint64_t hashed) noexcept;
  static void erase(Shard& shard, std::uint32_t index) noexcept;
  static bool grow(Shard& shard) noexcept;
  static void place(Entry* entries, std::uint32_t mask, const Entry& entry) noexcept;

  Shard shards_[kShards] = {};
};

}  // namespace hami::vgpu
