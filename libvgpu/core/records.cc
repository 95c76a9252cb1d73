#include "libvgpu/core/records.h"

#include <sys/mman.h>

#include <cstring>

namespace hami::vgpu {
namespace {

// Packed word, from the top: space 4 bits, device 4, owner 18, size in units of 512 bytes 38 (128 TiB).
constexpr unsigned kUnitBits = 38;
constexpr unsigned kOwnerBits = 18;
constexpr std::uint64_t kUnitMask = (std::uint64_t{1} << kUnitBits) - 1;
constexpr std::uint64_t kOwnerMask = (std::uint64_t{1} << kOwnerBits) - 1;

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

std::uint64_t Records::pack(Space space, const Record& record) noexcept {
  return static_cast<std::uint64_t>(space) << 60U | std::uint64_t{record.device & 15U} << 56U |
         (record.owner & kOwnerMask) << kUnitBits | ((record.bytes / kRecordUnit) & kUnitMask);
}

Record Records::unpack(std::uint64_t packed) noexcept {
  return Record{.bytes = (packed & kUnitMask) * kRecordUnit,
                .device = static_cast<unsigned>(packed >> 56U) & 15U,
                .owner = static_cast<unsigned>((packed >> kUnitBits) & kOwnerMask)};
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

std::optional<Record> Records::insert(Space space, std::uint64_t name, const Record& record,
                                      bool& stored) noexcept {
  const std::uint64_t hashed = hash(space, name);
  Shard& shard = shards_[hashed >> 58U];
  const LockGuard guard(shard.lock);
  stored = true;
  if (Entry* known = find(shard, space, name, hashed)) {
    const Record before = unpack(known->packed);
    known->packed = pack(space, record);
    return before;
  }
  const std::uint32_t capacity = shard.limit() + 1;
  if (shard.count + 1 > capacity - capacity / 4 && !grow(shard)) {
    stored = false;
    return std::nullopt;
  }
  place(shard.data(), shard.limit(), Entry{name, pack(space, record)});
  ++shard.count;
  return std::nullopt;
}

std::optional<Record> Records::take(Space space, std::uint64_t name) noexcept {
  const std::uint64_t hashed = hash(space, name);
  Shard& shard = shards_[hashed >> 58U];
  const LockGuard guard(shard.lock);
  Entry* entry = find(shard, space, name, hashed);
  if (entry == nullptr) return std::nullopt;
  const Record record = unpack(entry->packed);
  erase(shard, static_cast<std::uint32_t>(entry - shard.data()));
  return record;
}

// Linear memory and arrays end with their context; other objects use the field for what they like.
bool Records::has_owner(Space space) noexcept { return space <= Space::mipmap; }

void Records::take_owned(unsigned owner, void (*visit)(void*, const Record&), void* context) noexcept {
  for (Shard& shard : shards_) {
    const LockGuard guard(shard.lock);
    if (shard.count == 0) continue;
    for (std::uint32_t at = 0; at <= shard.limit();) {
      const Entry& entry = shard.data()[at];
      if (entry.packed == 0 || !has_owner(space_of(entry.packed)) || unpack(entry.packed).owner != owner) {
        ++at;
        continue;
      }
      visit(context, unpack(entry.packed));
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
