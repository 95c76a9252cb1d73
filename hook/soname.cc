#include "hook/soname.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace hami::hook {

namespace {

constexpr std::size_t kMaxSegments = 128;
constexpr std::uint64_t kMaxDynamicBytes = 64U << 10U;
constexpr std::size_t kMaxName = 255;

// ELFCLASS32 and ELFCLASS64 differ in the layout alone.
struct Elf32 {
  using Header = Elf32_Ehdr;
  using Segment = Elf32_Phdr;
  using Dynamic = Elf32_Dyn;
};
struct Elf64 {
  using Header = Elf64_Ehdr;
  using Segment = Elf64_Phdr;
  using Dynamic = Elf64_Dyn;
};

bool read_at(int file, std::uint64_t offset, void* to, std::size_t size) {
  constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62U;
  if (offset > kMaxOffset) return false;
  return ::pread(file, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

// ELF for libc6, and the architecture in the second byte.
std::optional<std::uint32_t> flags_of(unsigned elf_class, unsigned machine) {
  if (elf_class == ELFCLASS64 && machine == EM_X86_64) return 0x0303U;
  if (elf_class == ELFCLASS32 && machine == EM_386) return 0x0003U;
  if (elf_class == ELFCLASS64 && machine == EM_AARCH64) return 0x0a03U;
  return std::nullopt;
}

template <typename Segment>
std::optional<std::uint64_t> offset_of(const std::vector<Segment>& segments, std::uint64_t address) {
  for (const Segment& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const std::uint64_t inside = address - segment.p_vaddr;
    if (inside < segment.p_filesz) return segment.p_offset + inside;
  }
  return std::nullopt;
}

// The text at `offset` when it can be the name of a file; nothing otherwise.
std::optional<std::string> name_at(int file, std::uint64_t offset) {
  std::array<char, kMaxName + 1> buffer{};
  const ssize_t n = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
  if (n <= 0) return std::nullopt;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(n));
  const auto end = text.find('\0');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const std::string_view name = text.substr(0, end);
  const bool plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c != '/' && c != 0x7f; });
  if (!plain || name == "." || name == "..") return std::nullopt;
  return std::string(name);
}

template <typename Elf>
std::optional<std::string> soname_of(int file, const std::vector<typename Elf::Segment>& segments,
                                     const typename Elf::Segment& dynamic) {
  const std::size_t size = std::min<std::uint64_t>(dynamic.p_filesz, kMaxDynamicBytes);
  std::vector<typename Elf::Dynamic> entries(size / sizeof(typename Elf::Dynamic));
  if (!read_at(file, dynamic.p_offset, entries.data(), entries.size() * sizeof(typename Elf::Dynamic)))
    return std::nullopt;
  std::optional<std::uint64_t> name;
  std::optional<std::uint64_t> texts;
  for (const auto& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_SONAME) name = entry.d_un.d_val;
    if (entry.d_tag == DT_STRTAB) texts = offset_of(segments, entry.d_un.d_ptr);
  }
  if (!name) return std::string{};
  if (!texts || *name > UINT32_MAX || *texts > UINT64_MAX / 4) return std::nullopt;
  return name_at(file, *texts + *name);
}

template <typename Elf>
std::optional<LibraryName> read_library(int file) {
  typename Elf::Header header{};
  if (!read_at(file, 0, &header, sizeof header) || header.e_type != ET_DYN) return std::nullopt;
  const auto flags = flags_of(header.e_ident[EI_CLASS], header.e_machine);
  if (!flags || header.e_phentsize != sizeof(typename Elf::Segment) || header.e_phnum > kMaxSegments)
    return std::nullopt;
  std::vector<typename Elf::Segment> segments(header.e_phnum);
  if (!read_at(file, header.e_phoff, segments.data(), segments.size() * sizeof(typename Elf::Segment)))
    return std::nullopt;
  for (const auto& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    auto soname = soname_of<Elf>(file, segments, segment);
    if (!soname) return std::nullopt;
    return LibraryName{std::move(*soname), *flags};
  }
  return std::nullopt;
}

}  // namespace

std::optional<LibraryName> library_name(int file) {
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!read_at(file, 0, ident.data(), ident.size()) || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0 ||
      ident[EI_DATA] != ELFDATA2LSB)
    return std::nullopt;
  if (ident[EI_CLASS] == ELFCLASS64) return read_library<Elf64>(file);
  if (ident[EI_CLASS] == ELFCLASS32) return read_library<Elf32>(file);
  return std::nullopt;
}

}  // namespace hami::hook
