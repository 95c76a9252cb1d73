// A map from 64-bit names to 64-bit words in memory of its own: mmap, never the program's heap. No locking:
// whoever owns one holds a lock around it. Lives in zeroed memory and needs no construction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hami::vgpu {

class WordMap {
 public:
  // The word of `name`; null when the name is not there. Valid until the next put() or erase().
  std::uint64_t* find(std::uint64_t name) const noexcept;

  // Sets the word of `name`. False when there is no memory for it. 0 is a fine name and a fine word.
  bool put(std::uint64_t name, std::uint64_t word) noexcept;

  // The word of `name`, 0 when it was not there; null when there is no memory for it. Valid as find()'s is.
  std::uint64_t* at(std::uint64_t name) noexcept;

  // Forgets the name of a word that find() or at() gave.
  void erase(std::uint64_t* word) noexcept;

  // Forgets `name`; nothing happens when it is not there.
  void erase(std::uint64_t name) noexcept;

  // Forgets everything and gives the memory back.
  void clear() noexcept;

  std::size_t size() const noexcept { return count_; }

 private:
  struct Entry {
    std::uint64_t name;
    std::uint64_t word;
    std::uint64_t taken;
  };
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  std::size_t home(std::uint64_t name) const noexcept;
  std::size_t locate(std::uint64_t name) const noexcept;
  void close_gap(std::size_t hole) noexcept;
  void place(const Entry& entry) noexcept;
  bool grow() noexcept;

  Entry* entries_ = nullptr;
  std::size_t capacity_ = 0;  // a power of two, or 0
  std::size_t count_ = 0;
};

}  // namespace hami::vgpu
