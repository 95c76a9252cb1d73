#include "libvgpu/cuda/image_size.h"

#include <elf.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "libvgpu/core/lock.h"

namespace hami::vgpu {
namespace {

constexpr std::uint16_t kMachineCuda = 190;
constexpr std::uint32_t kWrapperMagic = 0x466243b1;  // what the compiler puts around a fat binary
constexpr std::uint32_t kFatMagic = 0xba55ed50;
constexpr std::uint64_t kCompressed = 0x2000 | 0x8000;  // LZ4, Zstandard
constexpr std::uint16_t kPtxEntry = 1;
constexpr std::uint16_t kCubinEntry = 2;
constexpr std::uint64_t kMost = std::uint64_t{1} << 46U;

struct Wrapper {
  std::uint32_t magic;
  std::uint32_t version;
  const void* data;
};

struct FatHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t header_size;
  std::uint64_t size;
};

struct FatEntry {
  std::uint16_t kind;
  std::uint16_t unknown;
  std::uint32_t header_size;
  std::uint64_t size;
  std::uint32_t unknown2[3];
  std::uint32_t capability;
  std::uint64_t name;
  std::uint64_t flags;
};
static_assert(offsetof(FatEntry, capability) == 28 && offsetof(FatEntry, flags) == 40);

// Reads memory that may not be there. By the system call, which the C library before 2.15 lacks.
bool read_at(const void* from, void* out, std::size_t size) noexcept {
  const ErrnoGuard keep_errno;
  const iovec to = {out, size};
  const iovec source = {const_cast<void*>(from), size};
  return ::syscall(SYS_process_vm_readv, ::getpid(), &to, 1L, &source, 1L, 0L) == static_cast<long>(size);
}

const char* behind(const void* from, std::uint64_t offset) noexcept {
  return reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(from) + offset);
}

void add_section(const Elf64_Shdr& section, ImageSize& size) noexcept {
  if ((section.sh_flags & SHF_ALLOC) == 0 || section.sh_size > kMost) return;
  if ((section.sh_flags & SHF_WRITE) != 0) {
    size.globals += section.sh_size;
  } else if (section.sh_type != SHT_NOBITS) {
    size.code += section.sh_size;
  }
}

// Variables are what may be written and is loaded; code and constants are loaded as they are in the file.
ImageSize size_of_cubin(const void* image) noexcept {
  Elf64_Ehdr header = {};
  if (!read_at(image, &header, sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachineCuda ||
      header.e_shentsize != sizeof(Elf64_Shdr)) {
    return {};
  }
  ImageSize size;
  constexpr unsigned kAtOnce = 32;
  Elf64_Shdr sections[kAtOnce] = {};
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    if (i % kAtOnce == 0) {
      const unsigned count = header.e_shnum - i < kAtOnce ? header.e_shnum - i : kAtOnce;
      if (!read_at(behind(image, header.e_shoff + i * sizeof sections[0]), sections,
                   count * sizeof sections[0])) {
        return {};
      }
    }
    add_section(sections[i % kAtOnce], size);
  }
  return size.globals < kMost && size.code < kMost ? size : ImageSize{};
}

// ".global .align 4 .b32 name[1024];" The loader of PTX reads on to the end of the text, and so do we.
class PtxText {
 public:
  explicit PtxText(const void* text) noexcept : next_(static_cast<const char*>(text)) {}

  std::uint64_t globals() noexcept {
    std::uint64_t bytes = 0;
    for (char word[64]; read_word(word);) {
      if (std::strcmp(word, ".global") == 0) bytes += variable();
      if (bytes > kMost) return 0;
    }
    return bytes;
  }

 private:
  char get() noexcept {
    if (at_ == end_) {
      // As much as there is up to a border that memory may end at.
      constexpr std::uintptr_t kUnit = 256;
      end_ = kUnit - reinterpret_cast<std::uintptr_t>(next_) % kUnit;
      at_ = 0;
      if (!read_at(next_, buffer_, end_)) end_ = 0;
      next_ += end_;
      if (end_ == 0) return '\0';
    }
    const char found = buffer_[at_];
    if (found != '\0') ++at_;
    return found;
  }

  // The text up to a blank or a mark, which stays in `mark_`.
  bool read_word(char (&word)[64]) noexcept {
    std::size_t length = 0;
    for (mark_ = get(); mark_ != '\0' && std::strchr(" \t\r\n;[]={}(),", mark_) == nullptr; mark_ = get()) {
      if (length < sizeof word - 1) word[length++] = mark_;
    }
    word[length] = '\0';
    return mark_ != '\0' || length != 0;
  }

  static std::uint64_t number(const char* digits) noexcept {
    std::uint64_t value = 0;
    for (; *digits >= '0' && *digits <= '9' && value < kMost; ++digits)
      value = value * 10 + static_cast<unsigned>(*digits - '0');
    return value;
  }

  std::uint64_t variable() noexcept {
    std::uint64_t element = 0;
    std::uint64_t count = 1;
    char word[64];
    bool is_length = false;
    while (read_word(word)) {
      const bool is_type = word[0] == '.' && std::strchr("bsuf", word[1]) != nullptr && number(word + 2) != 0;
      if (is_type) element = number(word + 2) / 8;
      if (is_length && number(word) != 0 && count < kMost / number(word)) count *= number(word);
      is_length = mark_ == '[';
      if (mark_ == ';' || mark_ == '=' || mark_ == '{' || mark_ == '(' || mark_ == ')') break;
    }
    return element < kMost / count ? element * count : 0;
  }

  const char* next_;
  char buffer_[256] = {};
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  char mark_ = '\0';
};

// A card runs the cubins of its own major version, up to its minor one.
bool runs(unsigned capability, unsigned of_entry) noexcept {
  return of_entry / 10 == capability / 10 && of_entry % 10 <= capability % 10;
}

// Calls visit(entry, its image) for each that is not compressed.
template <typename Visit>
void each_entry(const void* image, Visit visit) noexcept {
  FatHeader header = {};
  if (!read_at(image, &header, sizeof header) || header.magic != kFatMagic || header.size > kMost) return;
  for (std::uint64_t at = header.header_size; at < header.header_size + header.size;) {
    FatEntry entry = {};
    if (!read_at(behind(image, at), &entry, sizeof entry) || entry.header_size < sizeof entry) return;
    if ((entry.flags & kCompressed) == 0) visit(entry, behind(image, at + entry.header_size));
    if (entry.size > header.size) return;
    at += entry.header_size + entry.size;
  }
}

// The driver takes the latest cubin that the card runs. Where that does not tell, or PTX is compiled, the
// least of the others does: they come from one source.
ImageSize size_of_fat(const void* image, unsigned capability) noexcept {
  const char* best = nullptr;
  unsigned best_capability = 0;
  each_entry(image, [&](const FatEntry& entry, const char* inside) {
    if (entry.kind != kCubinEntry || !runs(capability, entry.capability)) return;
    if (best != nullptr && entry.capability < best_capability) return;
    best = inside;
    best_capability = entry.capability;
  });
  if (best != nullptr) return size_of_cubin(best);
  ImageSize least = {kMost, 0};
  each_entry(image, [&](const FatEntry& entry, const char* inside) {
    if (entry.kind != kCubinEntry && entry.kind != kPtxEntry) return;
    const ImageSize found =
        entry.kind == kCubinEntry ? size_of_cubin(inside) : ImageSize{PtxText(inside).globals(), 0};
    if (found.globals < least.globals) least = found;
  });
  return least.globals == kMost ? ImageSize{} : least;
}

bool is_ptx(const void* image) noexcept {
  char first = '\0';
  return read_at(image, &first, 1) && std::strchr("\n\r\t ./", first) != nullptr && first != '\0';
}

}  // namespace

ImageSize image_size(const void* image, unsigned capability) noexcept {
  Wrapper wrapper = {};
  if (read_at(image, &wrapper, sizeof wrapper) && wrapper.magic == kWrapperMagic) image = wrapper.data;
  const ImageSize cubin = size_of_cubin(image);
  if (cubin.globals != 0 || cubin.code != 0) return cubin;
  const ImageSize fat = size_of_fat(image, capability);
  if (fat.globals != 0 || fat.code != 0) return fat;
  return {is_ptx(image) ? PtxText(image).globals() : 0, 0};
}

}  // namespace hami::vgpu
