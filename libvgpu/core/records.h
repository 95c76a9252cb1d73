// What this process allocated: which object holds how many bytes of which device. One table for everything
// that has a 64-bit name (addresses, arrays, handles), sharded by the name, open addressing, 16 bytes per
// entry at no more than three quarters full; memory comes from mmap, never from the program's heap.
//
// Small pieces of linear memory share blocks of 2 MiB: the driver takes whole blocks from the card and hands
// out parts of them; which block a piece lies in, its address tells. The table counts the pieces of each
// block under the lock of the block's pieces, so that one walk through one lock is all that an allocation
// costs.
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
  block = 9,            // how many pieces lie in the block of this number
  imported = 10,        // memory of another process: which joint piece, and how often it is open
  foreign = 11,         // memory of another container
  last = 15,
};

inline constexpr std::uint64_t kBlockBytes = std::uint64_t{2} << 20U;

// Smaller requests share blocks; from here on whole blocks are taken.
inline constexpr std::uint64_t kSmallBelow = kBlockBytes / 2;

// One charge. `bytes` is a multiple of 512 and below 2^47; `owner` says whose end takes the object along (a
// context's number), 0 for nobody's.
struct Record {
  std::uint64_t bytes = 0;
  unsigned device = 0;
  unsigned owner = 0;
  // Bytes that go back with the object: its own, or for a small piece those of the blocks in which nothing
  // else is left. Only said of records that the table hands out.
  std::uint64_t charge = 0;
};

inline constexpr std::uint64_t kRecordUnit = 512;

class Records {
 public:
  // What became of an object that was to be remembered.
  struct Inserted {
    bool stored = false;       // false: there is no memory for the table, nothing changed
    std::uint64_t charge = 0;  // bytes that the object takes: its own, or those of the blocks it is alone in
    // What an object of the same name held before: the driver reuses names, so that one is gone.
    std::optional<Record> stale;
  };

  // Remembers an object.
  Inserted insert(Space space, std::uint64_t name, const Record& record) noexcept {
    Removed stale = {};
    const std::uint64_t charge = put(name, pack(space, record), stale);
    return {charge != kNotStored, charge != kNotStored ? charge : 0, known(stale)};
  }

  // What is known of an object, but for what it gives back.
  std::optional<Record> find(Space space, std::uint64_t name) noexcept;

  // Removes an object and returns what it held.
  std::optional<Record> take(Space space, std::uint64_t name) noexcept { return known(remove(space, name)); }

  // Removes the objects that lie in the context `owner` and hands each to `visit`, which may use the table.
  void take_owned(unsigned owner,
                  void (*visit)(Space space, std::uint64_t name, const Record& record)) noexcept;

  // In the child of a fork: the objects are the parent's.
  void forget() noexcept;

 private:
  static constexpr unsigned kShards = 64;
  static constexpr unsigned kFirstCapacity = 64;

  // Word 0 is the name, word 1 packs space, device, owner and size: see pack(). Of a block, the size is the
  // number of its pieces.
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
  // The word of an object that was removed, 0: none, and what goes back with it. In two registers: these
  // calls are part of every allocation.
  struct Removed {
    std::uint64_t packed;
    std::uint64_t charge;
  };
  // An object that take_owned() took out, and has to finish without the lock.
  struct Owned {
    std::uint64_t name;
    Removed removed;
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
    return Record{.bytes = bytes_of(packed),
                  .device = static_cast<unsigned>(packed >> 56U) & 15U,
                  .owner = static_cast<unsigned>((packed >> kUnitBits) & kOwnerMask)};
  }
  static std::optional<Record> known(const Removed& removed) noexcept {
    if (removed.packed == 0) return std::nullopt;
    Record record = unpack(removed.packed);
    record.charge = removed.charge;
    return record;
  }
  static Space space_of(std::uint64_t packed) noexcept { return static_cast<Space>(packed >> 60U); }
  static std::uint64_t bytes_of(std::uint64_t packed) noexcept { return (packed & kUnitMask) * kRecordUnit; }
  static bool is_piece(std::uint64_t packed) noexcept {
    return space_of(packed) == Space::pointer && bytes_of(packed) < kSmallBelow;
  }

  static constexpr std::uint64_t kNotStored = ~std::uint64_t{0};

  // Returns what the object takes, or kNotStored.
  std::uint64_t put(std::uint64_t name, std::uint64_t packed, Removed& stale) noexcept;
  Removed remove(Space space, std::uint64_t name) noexcept;

  static std::uint64_t hash(Space space, std::uint64_t name) noexcept;
  static bool has_owner(Space space) noexcept;
  static std::uint64_t last_block(std::uint64_t name, std::uint64_t packed) noexcept;
  static std::uint32_t locate(Shard& shard, Space space, std::uint64_t name, std::uint64_t hashed) noexcept;
  static void erase(Shard& shard, std::uint32_t index) noexcept;
  static bool has_room(Shard& shard) noexcept;
  static bool grow(Shard& shard) noexcept;
  static void place(Entry* entries, std::uint32_t mask, const Entry& entry) noexcept;
  static std::uint64_t enter(Shard& shard, std::uint64_t block, std::uint64_t hashed) noexcept;
  static std::uint64_t leave(Shard& shard, std::uint64_t block, std::uint64_t hashed) noexcept;
  static Removed detach(Shard& shard, std::uint32_t index) noexcept;
  static unsigned take_some(Shard& shard, unsigned owner, std::uint32_t& at, Owned* out,
                            unsigned room) noexcept;

  // The blocks of a piece behind its first, up to `last`.
  bool enter_rest(std::uint64_t first, std::uint64_t last, std::uint64_t& charge) noexcept;
  std::uint64_t leave_rest(std::uint64_t first, std::uint64_t last) noexcept;
  std::uint64_t leave_rest_of(std::uint64_t name, std::uint64_t packed) noexcept;

  Shard shards_[kShards] = {};
};

}  // namespace hami::vgpu
