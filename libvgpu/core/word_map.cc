#include "libvgpu/core/word_map.h"

#include <sys/mman.h>

namespace hami::vgpu {
namespace {

constexpr std::size_t kFirstCapacity = 128;

void* map_zeroed(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

// Linear probing. Addresses share their low bits: a product carries the high ones down.
std::size_t WordMap::home(std::uint64_t name) const noexcept {
  const std::uint64_t mixed = name * 0x9e3779b97f4a7c15ULL;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32U)) & (capacity_ - 1);
}

std::size_t WordMap::locate(std::uint64_t name) const noexcept {
  if (capacity_ == 0) return kNowhere;
  for (std::size_t at = home(name); entries_[at].taken != 0; at = (at + 1) & (capacity_ - 1)) {
    if (entries_[at].name == name) return at;
  }
  return kNowhere;
}

void WordMap::place(const Entry& entry) noexcept {
  std::size_t at = home(entry.name);
  while (entries_[at].taken != 0) at = (at + 1) & (capacity_ - 1);
  entries_[at] = entry;
}

std::uint64_t* WordMap::find(std::uint64_t name) const noexcept {
  const std::size_t at = locate(name);
  return at == kNowhere ? nullptr : &entries_[at].word;
}

bool WordMap::put(std::uint64_t name, std::uint64_t word) noexcept {
  if (std::uint64_t* known = find(name)) {
    *known = word;
    return true;
  }
  if (count_ + 1 > capacity_ - capacity_ / 4 && !grow()) return false;
  place({name, word, 1});
  ++count_;
  return true;
}

std::uint64_t* WordMap::at(std::uint64_t name) noexcept {
  if (count_ + 1 > capacity_ - capacity_ / 4 && !grow()) return find(name);
  std::size_t at = home(name);
  for (; entries_[at].taken != 0; at = (at + 1) & (capacity_ - 1)) {
    if (entries_[at].name == name) return &entries_[at].word;
  }
  entries_[at] = {name, 0, 1};
  ++count_;
  return &entries_[at].word;
}

void WordMap::erase(std::uint64_t name) noexcept {
  const std::size_t hole = locate(name);
  if (hole != kNowhere) close_gap(hole);
}

void WordMap::erase(std::uint64_t* word) noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(word) - reinterpret_cast<std::uintptr_t>(entries_);
  close_gap(offset / sizeof(Entry));
}

void WordMap::close_gap(std::size_t hole) noexcept {
  const std::size_t mask = capacity_ - 1;
  // Later entries of the same run close the gap, so that a search never ends early.
  for (std::size_t at = (hole + 1) & mask; entries_[at].taken != 0; at = (at + 1) & mask) {
    if (((at - home(entries_[at].name)) & mask) < ((at - hole) & mask)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = {};
  --count_;
}

void WordMap::clear() noexcept {
  if (entries_ != nullptr) ::munmap(entries_, capacity_ * sizeof(Entry));
  *this = {};
}

bool WordMap::grow() noexcept {
  const std::size_t old_capacity = capacity_;
  const std::size_t capacity = old_capacity == 0 ? kFirstCapacity : old_capacity * 2;
  auto* fresh = static_cast<Entry*>(map_zeroed(capacity * sizeof(Entry)));
  if (fresh == nullptr) return false;
  Entry* old = entries_;
  entries_ = fresh;
  capacity_ = capacity;
  for (std::size_t i = 0; i < old_capacity; ++i) {
    if (old[i].taken != 0) place(old[i]);
  }
  if (old != nullptr) ::munmap(old, old_capacity * sizeof(Entry));
  return true;
}

}  // namespace hami::vgpu
