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
  context = 5,          // what a context costs, and at the addresses behind it, what its limits cost
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
  std::optional<Record> insert(Space space, std::uint64_t name, const Record& record, bool& stored) noexcept {
    return known(put(name, pack(space, record), stored));
  }

  // Removes an object and returns what it held.
  std::optional<Record> take(Space space, std::uint64_t name) noexcept { return known(remove(space, name)); }

  // Removes the objects that lie in the context `owner` and hands each to `visit`.
  void take_owned(unsigned owner,
                  void (*visit)(Space space, std::uint64_t name, const Record& record)) noexcept;

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

  // Packed word, from the top: space 4 bits, device 4, owner 18, size in units of 512 bytes 38 (128 TiB).
  static constexpr unsigned kUnitBits = 38;
  static constexpr unsigned kOwnerBits = 18;
  static constexpr std::uint64_t kUnitMask = (std::uint64_t{1} << kUnitBits) - 1;
  static constexpr std::uint64_t kOwnerMask = (std::uint64_t{1} << kOwnerBits) - 1;

  static std::uint64_t pack(Space space, const Record& record) noexcept {
    return static_cast<std::uint64_t>(space) << 60U | std::uint64_t{record.device & 15U} << 56U |
           (record.owner & kOwnerMask) << kUnitBits | ((record.bytes / kRecordUnit) & kUnitMask);
  }
  static Record unpack(std::uint64_t packed) noexcept {
    return Record{.bytes = (packed & kUnitMask) * kRecordUnit,
                  .device = static_cast<unsigned>(packed >> 56U) & 15U,
                  .owner = static_cast<unsigned>((packed >> kUnitBits) & kOwnerMask)};
  }
  static std::optional<Record> known(std::uint64_t packed) noexcept {
    return packed != 0 ? std::optional<Record>(unpack(packed)) : std::nullopt;
  }

  // Both return the packed word that was there; 0: none.
  std::uint64_t put(std::uint64_t name, std::uint64_t packed, bool& stored) noexcept;
  std::uint64_t remove(Space space, std::uint64_t name) noexcept;

  static std::uint64_t hash(Space space, std::uint64_t name) noexcept;
  static bool has_owner(Space space) noexcept;
  static Space space_of(std::uint64_t packed) noexcept;
  static Entry* find(Shard& shard, Space space, std::uint64_t name, std::uint64_t hashed) noexcept;
  static void erase(Shard& shard, std::uint32_t index) noexcept;
  static bool grow(Shard& shard) noexcept;
  static void place(Entry* entries, std::uint32_t mask, const Entry& entry) noexcept;

  Shard shards_[kShards] = {};
};

}  // namespace hami::vgpu
