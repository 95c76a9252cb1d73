// Finds functions in loaded objects without dlsym, which is what we are replacing.
#pragma once

#include <cstdint>

namespace hami::vgpu {

// Are two texts the same? Not the C library's function: a sanitizer that replaces that one looks for it with
// dlsym while it starts, and we must answer without it.
constexpr bool is_same_text(const char* a, const char* b) noexcept {
  for (; *a == *b; ++a, ++b) {
    if (*a == '\0') return true;
  }
  return false;
}

// The address of the function `symbol` in the first loaded object that defines it and is not this library;
// null when there is none. Any version of the symbol will do.
void* find_in_other_objects(const char* symbol) noexcept;

// The same for the objects loaded after the one that holds `caller`, this library included; null also when
// `caller` lies in another of the loader's name spaces.
void* find_behind(const void* caller, const char* symbol) noexcept;

// Was the object that holds `first` loaded before the one that holds `second`? False when either lies in
// another of the loader's name spaces.
bool is_before(const void* first, const void* second) noexcept;

// One loaded object of the program, with the functions that it defines itself. Valid while it stays loaded.
class LoadedObject {
 public:
  LoadedObject() noexcept = default;

  // The object that holds `address`; one without a path when there is none, or when it lies in another of the
  // loader's name spaces.
  static LoadedObject at(const void* address) noexcept;

  // The object's file; null when there is no object.
  const char* path() const noexcept { return path_; }

  // The address of a function that it defines; null when it does not, or has no table to find it by. `hash`
  // is symbol_hash(symbol).
  void* find(const char* symbol, std::uint32_t hash) const noexcept;

 private:
  friend struct ObjectSearch;

  const char* path_ = nullptr;
  std::uintptr_t base_ = 0;
  const void* table_ = nullptr;  // of symbols
  const char* names_ = nullptr;
  const std::uint32_t* gnu_hash_ = nullptr;
};

}  // namespace hami::vgpu
