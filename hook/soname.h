// The name under which the loader knows a library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hami::hook {

struct LibraryName {
  std::string soname;       // DT_SONAME; empty when the library has none
  std::uint32_t flags = 0;  // how a loader's cache says its ABI; source: glibc, sysdeps/generic/dl-cache.h
  friend bool operator==(const LibraryName&, const LibraryName&) = default;
};

// What the open ELF file says of itself. Every offset is checked: in a container the file may be anything.
// Nothing when it is no shared object of x86-64, i386 or aarch64, or its name could not be a file's.
// Source: gABI, chapters 4 and 5.
[[nodiscard]] std::optional<LibraryName> library_name(int file);

}  // namespace hami::hook
