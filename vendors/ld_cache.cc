#include "vendors/ld_cache.h"

#include <cstdint>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

constexpr std::string_view kOldMagic{"ld.so-1.7.0\0", 12};
constexpr std::size_t kOldHeader = 16;
constexpr std::size_t kOldEntry = 12;
constexpr std::string_view kNewMagic = "glibc-ld.so.cache1.1";
constexpr std::size_t kNewHeader = 48;
constexpr std::size_t kNewEntry = 24;
constexpr std::size_t kEndianOffset = 28;
constexpr std::uint8_t kBigEndian = 3;
constexpr std::size_t kMaxText = 4096;

std::optional<std::uint32_t> u32_at(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// The text at `at` up to its NUL; nothing when it does not end within the file.
std::optional<std::string> text_at(std::string_view bytes, std::size_t at) {
  if (at >= bytes.size()) return std::nullopt;
  const auto end = bytes.substr(at, kMaxText).find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(bytes.substr(at, end));
}

// The low byte says ELF for libc6, the next one the architecture.
Abi abi_of(std::uint32_t flags) {
  if ((flags & 1U) == 0) return Abi::other;
  switch ((flags >> 8U) & 0xffU) {
    case 0x00:
      return Abi::i386;
    case 0x03:
      return Abi::x86_64;
    case 0x0a:
      return Abi::aarch64;
    default:
      return Abi::other;
  }
}

tl::unexpected<Error> damaged(std::string_view why) {
  return fail(Errc::io, text::cat({"read the loader's cache: ", why}), "run ldconfig in the driver root");
}

struct Table {
  std::size_t entries;  // offset of the first entry
  std::size_t entry_size;
  std::uint32_t count;
  std::size_t texts;  // what offsets of texts are relative to
};

Result<std::vector<CachedLibrary>> read_table(std::string_view bytes, const Table& table) {
  // Division, so that a huge count cannot overflow.
  if (table.entries > bytes.size() || (bytes.size() - table.entries) / table.entry_size < table.count)
    return damaged("more entries than the file holds");
  std::vector<CachedLibrary> libraries;
  libraries.reserve(table.count);
  for (std::uint32_t i = 0; i < table.count; ++i) {
    const std::size_t entry = table.entries + i * table.entry_size;
    const auto flags = u32_at(bytes, entry);
    const auto key = u32_at(bytes, entry + 4);
    const auto value = u32_at(bytes, entry + 8);
    if (!flags || !key || !value) return damaged("an entry is cut");
    auto name = text_at(bytes, table.texts + *key);
    auto path = text_at(bytes, table.texts + *value);
    if (!name || !path) return damaged("a text is outside of the file");
    libraries.push_back({std::move(*name), std::move(*path), abi_of(*flags)});
  }
  return libraries;
}

Result<std::vector<CachedLibrary>> read_new(std::string_view bytes) {
  if (bytes.size() < kNewHeader) return damaged("the header is cut");
  if (static_cast<std::uint8_t>(bytes[kEndianOffset]) == kBigEndian)
    return damaged("made for a big-endian machine");
  return read_table(bytes, {kNewHeader, kNewEntry, *u32_at(bytes, kNewMagic.size()), 0});
}

}  // namespace

Result<std::vector<CachedLibrary>> parse_ld_cache(std::string_view bytes) {
  if (bytes.size() > kMaxLdCacheBytes) return damaged("too large");
  if (bytes.starts_with(kNewMagic)) return read_new(bytes);
  if (!bytes.starts_with(kOldMagic) || bytes.size() < kOldHeader)
    return damaged("neither of the known formats");
  const std::uint32_t count = *u32_at(bytes, kOldMagic.size());
  if ((bytes.size() - kOldHeader) / kOldEntry < count) return damaged("more entries than the file holds");
  const std::size_t end = kOldHeader + count * kOldEntry;
  const std::size_t aligned = (end + 7U) & ~std::size_t{7U};  // the new part begins at its own alignment
  if (aligned <= bytes.size() && bytes.substr(aligned).starts_with(kNewMagic))
    return read_new(bytes.substr(aligned));
  return read_table(bytes, {kOldHeader, kOldEntry, count, end});
}

}  // namespace hami::vendors
