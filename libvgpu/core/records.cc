#include "libvgpu/core/records.h"

#include <sys/mman.h>

#include <cstring>

namespace hami::vgpu {
namespace {

void* map_zeroed(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

std::uint64_t Records::hash(Space space, std::uint64_t name) noexcept {
  // Addresses share their low bits: a multiplication carries the high ones to the top, where we look.
  std::uint64_t mixed = (name ^ (static_cast<std::uint64_t>(space) << 60U)) * 0x9e3779b97f4a7c15ULL;
  return mixed ^ (mixed >> 32U);
}

Space Records::space_of(std::uint64_t packed) noexcept { return static_cast<Space>(packed >> 60U); }

Records::Entry* Records::find(Shard& shard, Space space, std::uint64_t name, std::uint64_t hashed) noexcept {
  Entry* entries = shard.data();
  const std::uint32_t mask = shard.limit();
  for (std::uint32_t at = static_cast<std::uint32_t>(hashed) & mask; entries[at].packed != 0;
       at = (at + 1) & mask) {
    if (entries[at].name == name && space_of(entries[at].packed) == space) return &entries[at];
  }
  return nullptr;
}

// Closes the gap behind a removed entry, so that no tombstones pile up.
void Records::erase(Shard& shard, std::uint32_t index) noexcept {
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
  entries[hole] = Entry{};
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

// One walk finds the object or its place.
std::uint64_t Records::put(std::uint64_t name, std::uint64_t packed, bool& stored) noexcept {
  const Space space = space_of(packed);
  const std::uint64_t hashed = hash(space, name);
  Shard& shard = shards_[hashed >> 58U];
  const LockGuard guard(shard.lock);
  stored = true;
  Entry* entries = shard.data();
  const std::uint32_t mask = shard.limit();
  std::uint32_t at = static_cast<std::uint32_t>(hashed) & mask;
  for (; entries[at].packed != 0; at = (at + 1) & mask) {
    if (entries[at].name != name || space_of(entries[at].packed) != space) continue;
    const std::uint64_t before = entries[at].packed;
    entries[at].packed = packed;
    return before;
  }
  if (shard.count < mask - mask / 4) [[likely]] {
    entries[at] = Entry{name, packed};
  } else if (grow(shard)) {
    place(shard.data(), shard.limit(), Entry{name, packed});
  } else {
    stored = false;
    return 0;
  }
  ++shard.count;
  return 0;
}

std::uint64_t Records::remove(Space space, std::uint64_t name) noexcept {
  const std::uint64_t hashed = hash(space, name);
  Shard& shard = shards_[hashed >> 58U];
  const LockGuard guard(shard.lock);
  Entry* entry = find(shard, space, name, hashed);
  if (entry == nullptr) return 0;
  const std::uint64_t packed = entry->packed;
  erase(shard, static_cast<std::uint32_t>(entry - shard.data()));
  return packed;
}

// What lies in a context ends with it, and so does what the context itself costs; other objects use the field
// for what they like.
bool Records::has_owner(Space space) noexcept {
  return space <= Space::library && space != Space::external_memory;
}

void Records::take_owned(unsigned owner, void (*visit)(Space, std::uint64_t, const Record&)) noexcept {
  for (Shard& shard : shards_) {
    const LockGuard guard(shard.lock);
    if (shard.count == 0) continue;
    for (std::uint32_t at = 0; at <= shard.limit();) {
      const Entry& entry = shard.data()[at];
      if (entry.packed == 0 || !has_owner(space_of(entry.packed)) || unpack(entry.packed).owner != owner) {
        ++at;
        continue;
      }
      visit(space_of(entry.packed), entry.name, unpack(entry.packed));
      erase(shard, at);  // may have moved another entry here: look at the same place again
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
