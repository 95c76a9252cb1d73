#include "libvgpu/core/records.h"

#include <sys/mman.h>

#include <cstring>

namespace hami::vgpu {
namespace {

void* map_zeroed(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

constexpr unsigned kShardShift = 58;  // of a hash: 64 shards

}  // namespace

[[gnu::always_inline]] inline std::uint64_t Records::hash(Space space, std::uint64_t name) noexcept {
  // Addresses share their low bits: a multiplication carries the high ones to the top, where we look.
  std::uint64_t mixed = (name ^ (static_cast<std::uint64_t>(space) << 60U)) * 0x9e3779b97f4a7c15ULL;
  return mixed ^ (mixed >> 32U);
}

// The last block that a piece lies in; of other objects, the block of its name.
[[gnu::always_inline]] inline std::uint64_t Records::last_block(std::uint64_t name,
                                                                std::uint64_t packed) noexcept {
  const std::uint64_t bytes = is_piece(packed) ? bytes_of(packed) : 0;
  return (name + bytes - (bytes != 0 ? 1 : 0)) / kBlockBytes;
}

// Where the object is, or the empty place at which it would be put.
[[gnu::always_inline]] inline std::uint32_t Records::locate(Shard& shard, Space space, std::uint64_t name,
                                                            std::uint64_t hashed) noexcept {
  const Entry* entries = shard.data();
  const std::uint32_t mask = shard.limit();
  std::uint32_t at = static_cast<std::uint32_t>(hashed) & mask;
  while (entries[at].packed != 0 && (entries[at].name != name || space_of(entries[at].packed) != space))
    at = (at + 1) & mask;
  return at;
}

// Closes the gap behind a removed entry, so that no tombstones pile up.
[[gnu::always_inline]] inline void Records::erase(Shard& shard, std::uint32_t index) noexcept {
  Entry* entries = shard.data();
  const std::uint32_t mask = shard.limit();
  std::uint32_t hole = index;
  for (std::uint32_t at = (hole + 1) & mask; entries[at].packed != 0; at = (at + 1) & mask) {
    const auto home = static_cast<std::uint32_t>(hash(space_of(entries[at].packed), entries[at].name)) & mask;
    // The entry may move into the hole when its home does not lie cyclically in (hole, at].
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      entries[hole] = entries[at];
      hole = at;
    }
  }
  entries[hole].packed = 0;
  --shard.count;
}

void Records::place(Entry* entries, std::uint32_t mask, const Entry& entry) noexcept {
  std::uint32_t at = static_cast<std::uint32_t>(hash(space_of(entry.packed), entry.name)) & mask;
  while (entries[at].packed != 0) at = (at + 1) & mask;
  entries[at] = entry;
}

bool Records::grow(Shard& shard) noexcept {
  const std::uint32_t old_capacity = shard.limit() + 1;
  const std::uint32_t capacity = old_capacity < 256 ? 256 : old_capacity * 2;
  auto* fresh = static_cast<Entry*>(map_zeroed(capacity * sizeof(Entry)));
  if (fresh == nullptr) return false;
  Entry* old = shard.data();
  for (std::uint32_t i = 0; i < old_capacity; ++i) {
    if (old[i].packed != 0) place(fresh, capacity - 1, old[i]);
  }
  if (shard.entries != nullptr) ::munmap(shard.entries, old_capacity * sizeof(Entry));
  shard.entries = fresh;
  shard.mask = capacity - 1;
  return true;
}

// For an object and for its block.
[[gnu::always_inline]] inline bool Records::has_room(Shard& shard) noexcept {
  const std::uint32_t mask = shard.limit();
  return shard.count + 2 <= mask - mask / 4 || grow(shard);
}

// One piece more in a block of the shard. Returns the bytes of the block when nothing else is in it.
[[gnu::always_inline]] inline std::uint64_t Records::enter(Shard& shard, std::uint64_t block,
                                                           std::uint64_t hashed) noexcept {
  Entry& entry = shard.data()[locate(shard, Space::block, block, hashed)];
  if (entry.packed != 0) {
    ++entry.packed;
    return 0;
  }
  entry.name = block;
  entry.packed = (static_cast<std::uint64_t>(Space::block) << 60U) + 1;
  ++shard.count;
  return kBlockBytes;
}

// One piece less. Returns the bytes of the block when none is left.
[[gnu::always_inline]] inline std::uint64_t Records::leave(Shard& shard, std::uint64_t block,
                                                           std::uint64_t hashed) noexcept {
  const std::uint32_t at = locate(shard, Space::block, block, hashed);
  Entry& entry = shard.data()[at];
  if (entry.packed == 0 || (--entry.packed & kUnitMask) != 0) return 0;
  erase(shard, at);
  return kBlockBytes;
}

// No allocator is known that crosses the border of a block; one that did would be counted right.
bool Records::enter_rest(std::uint64_t first, std::uint64_t last, std::uint64_t& charge) noexcept {
  for (std::uint64_t block = first + 1; block <= last; ++block) {
    const std::uint64_t hashed = hash(Space::block, block);
    Shard& shard = shards_[hashed >> kShardShift];
    const LockGuard guard(shard.lock);
    if (!has_room(shard)) {
      leave_rest(first, block - 1);
      return false;
    }
    charge += enter(shard, block, hashed);
  }
  return true;
}

std::uint64_t Records::leave_rest(std::uint64_t first, std::uint64_t last) noexcept {
  std::uint64_t charge = 0;
  for (std::uint64_t block = first + 1; block <= last; ++block) {
    const std::uint64_t hashed = hash(Space::block, block);
    Shard& shard = shards_[hashed >> kShardShift];
    const LockGuard guard(shard.lock);
    charge += leave(shard, block, hashed);
  }
  return charge;
}

[[gnu::always_inline]] inline std::uint64_t Records::leave_rest_of(std::uint64_t name,
                                                                   std::uint64_t packed) noexcept {
  const std::uint64_t first = name / kBlockBytes;
  const std::uint64_t last = last_block(name, packed);
  return first == last ? 0 : leave_rest(first, last);
}

// Removes an object, and what it is of its first block.
[[gnu::always_inline]] inline Records::Removed Records::detach(Shard& shard, std::uint32_t index) noexcept {
  const Entry entry = shard.data()[index];
  erase(shard, index);
  if (!is_piece(entry.packed)) return {entry.packed, bytes_of(entry.packed)};
  const std::uint64_t block = entry.name / kBlockBytes;
  return {entry.packed, leave(shard, block, hash(Space::block, block))};
}

// The pieces of a block lie in its shard.
std::uint64_t Records::put(std::uint64_t name, std::uint64_t packed, Removed& stale) noexcept {
  const Space space = space_of(packed);
  const bool is_small = is_piece(packed);
  const std::uint64_t first = name / kBlockBytes;
  const std::uint64_t last = last_block(name, packed);
  std::uint64_t charge = 0;
  if (first != last && !enter_rest(first, last, charge)) [[unlikely]]
    return kNotStored;
  const std::uint64_t hashed = hash(space, name);
  const std::uint64_t of_block = hash(Space::block, first);
  Shard& shard = shards_[(space == Space::pointer ? of_block : hashed) >> kShardShift];
  {
    const LockGuard guard(shard.lock);
    if (has_room(shard)) [[likely]] {
      std::uint32_t at = locate(shard, space, name, hashed);
      if (shard.data()[at].packed != 0) [[unlikely]] {
        stale = detach(shard, at);
        at = locate(shard, space, name, hashed);
      }
      Entry& entry = shard.data()[at];
      entry.name = name;
      entry.packed = packed;
      ++shard.count;
      charge = is_small ? charge + enter(shard, first, of_block) : bytes_of(packed);
    } else {
      charge = kNotStored;
    }
  }
  if (charge == kNotStored) leave_rest(first, last);
  if (stale.packed != 0) [[unlikely]]
    stale.charge += leave_rest_of(name, stale.packed);
  return charge;
}

std::optional<Record> Records::find(Space space, std::uint64_t name) noexcept {
  const std::uint64_t hashed = hash(space, name);
  const std::uint64_t of_block = hash(Space::block, name / kBlockBytes);
  Shard& shard = shards_[(space == Space::pointer ? of_block : hashed) >> kShardShift];
  const LockGuard guard(shard.lock);
  const std::uint64_t packed = shard.data()[locate(shard, space, name, hashed)].packed;
  if (packed == 0) return std::nullopt;
  return unpack(packed);
}

Records::Removed Records::remove(Space space, std::uint64_t name) noexcept {
  const std::uint64_t hashed = hash(space, name);
  const std::uint64_t of_block = hash(Space::block, name / kBlockBytes);
  Shard& shard = shards_[(space == Space::pointer ? of_block : hashed) >> kShardShift];
  Removed removed = {};
  {
    const LockGuard guard(shard.lock);
    const std::uint32_t at = locate(shard, space, name, hashed);
    if (shard.data()[at].packed == 0) return {};
    removed = detach(shard, at);
  }
  removed.charge += leave_rest_of(name, removed.packed);
  return removed;
}

// What lies in a context ends with it, and so does what the context itself costs; other objects use the field
// for what they like.
bool Records::has_owner(Space space) noexcept {
  return (space <= Space::library && space != Space::external_memory) || space == Space::imported ||
         space == Space::foreign;
}

// Takes up to `room` objects of an owner out of a shard, from the place `at` on. Returns how many.
unsigned Records::take_some(Shard& shard, unsigned owner, std::uint32_t& at, Owned* out,
                            unsigned room) noexcept {
  const LockGuard guard(shard.lock);
  if (shard.count == 0) return 0;
  unsigned count = 0;
  while (at <= shard.limit() && count < room) {
    const Entry& entry = shard.data()[at];
    if (entry.packed == 0 || !has_owner(space_of(entry.packed)) || unpack(entry.packed).owner != owner) {
      ++at;
      continue;
    }
    out[count].name = entry.name;
    out[count].removed =
        detach(shard, at);  // may have moved another entry here: look at the same place again
    ++count;
  }
  return count;
}

// Removing entries may move others to where we have been, so only a round that finds nothing is the last.
void Records::take_owned(unsigned owner, void (*visit)(Space, std::uint64_t, const Record&)) noexcept {
  Owned batch[32];
  for (Shard& shard : shards_) {
    for (bool found = true; found;) {
      found = false;
      std::uint32_t at = 0;
      while (const unsigned count = take_some(shard, owner, at, batch, sizeof batch / sizeof *batch)) {
        found = true;
        for (unsigned i = 0; i < count; ++i) {
          const std::uint64_t name = batch[i].name;
          Removed removed = batch[i].removed;
          removed.charge += leave_rest_of(name, removed.packed);
          visit(space_of(removed.packed), name, *known(removed));
        }
      }
    }
  }
}

void Records::forget() noexcept {
  for (Shard& shard : shards_) {
    shard.lock.reset();
    if (shard.entries != nullptr) ::munmap(shard.entries, (std::size_t{shard.mask} + 1) * sizeof(Entry));
    shard.entries = nullptr;
    shard.mask = 0;
    if (shard.count != 0) std::memset(shard.first, 0, sizeof shard.first);
    shard.count = 0;
  }
}

}  // namespace hami::vgpu
