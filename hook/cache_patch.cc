#include "hook/cache_patch.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "oci-config/base/text.h"
#include "vendors/ld_cache.h"

namespace hami::hook {

namespace {

constexpr std::string_view kOldMagic{"ld.so-1.7.0\0", 12};
constexpr std::size_t kOldHeader = 16;
constexpr std::size_t kOldEntry = 12;
constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
constexpr std::size_t kHeader = 48;
constexpr std::size_t kEntry = 24;
constexpr std::size_t kCountAt = 20;
constexpr std::size_t kTextBytesAt = 24;
constexpr std::size_t kFlagsAt = 28;
constexpr std::size_t kExtensionAt = 32;
constexpr std::uint32_t kExtensionMagic = 0xeaa42174U;
constexpr std::size_t kExtensionHeader = 8;
constexpr std::size_t kSection = 16;
constexpr std::uint32_t kMaxSections = 16;
constexpr std::uint32_t kGenerator = 0;  // a text that says who made the file
constexpr std::uint32_t kHwcaps = 1;     // offsets of the texts that entries' hwcap words count

tl::unexpected<Error> unfit(std::string_view why) {
  return fail(Errc::io, text::cat({"add to the loader's cache: ", why}));
}

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);  // both sides are little endian
  return value;
}

void put_u32(std::string& out, std::uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

struct Section {
  std::uint32_t tag = 0;
  std::uint32_t flags = 0;
  std::string_view data;
};

struct Entry {
  std::uint32_t flags = 0;
  std::uint32_t name = 0;  // offset in `texts`
  std::uint32_t path = 0;  // the same
  std::string_view rest;   // what else stands in the entry
};

struct Cache {
  char endian = 0;
  std::vector<Entry> entries;
  std::string texts;
  std::size_t texts_at = 0;  // where they began in the file that was read
  std::vector<Section> sections;

  [[nodiscard]] std::string_view text(std::uint32_t offset) const { return texts.c_str() + offset; }
};

// The part of the new format, which may stand behind one of the old.
std::optional<std::string_view> new_part(std::string_view file) {
  if (file.starts_with(kOldMagic) && file.size() >= kOldHeader) {
    const std::size_t count = u32_at(file, kOldMagic.size());
    if ((file.size() - kOldHeader) / kOldEntry < count) return std::nullopt;
    const std::size_t end = (kOldHeader + count * kOldEntry + 7U) & ~std::size_t{7U};
    if (end > file.size()) return std::nullopt;
    file.remove_prefix(end);
  }
  if (!file.starts_with(kMagic) || file.size() < kHeader) return std::nullopt;
  return file;
}

Result<> read_sections(std::string_view file, Cache& cache) {
  const std::size_t at = u32_at(file, kExtensionAt);
  if (at == 0) return {};
  if (at > file.size() || file.size() - at < kExtensionHeader || u32_at(file, at) != kExtensionMagic)
    return unfit("its extension is damaged");
  const std::uint32_t count = u32_at(file, at + 4);
  if (count > kMaxSections || (file.size() - at - kExtensionHeader) / kSection < count)
    return unfit("its extension has too many sections");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t section = at + kExtensionHeader + i * kSection;
    const std::uint32_t tag = u32_at(file, section);
    const std::size_t offset = u32_at(file, section + 8);
    const std::size_t size = u32_at(file, section + 12);
    if (offset > file.size() || file.size() - offset < size)
      return unfit("a section lies outside of the file");
    if ((tag != kGenerator && tag != kHwcaps) || (tag == kHwcaps && size % 4 != 0))
      return unfit("it has a section of an unknown kind");
    cache.sections.push_back({tag, u32_at(file, section + 4), file.substr(offset, size)});
  }
  return {};
}

Result<> read_entries(std::string_view file, std::size_t count, Cache& cache) {
  // Whatever an offset below the size points to ends at the last byte at the latest.
  if (!cache.texts.empty() && cache.texts.back() != '\0') return unfit("its last text has no end");
  cache.entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kHeader + i * kEntry;
    Entry entry{u32_at(file, at), u32_at(file, at + 4), u32_at(file, at + 8),
                file.substr(at + 12, kEntry - 12)};
    for (std::uint32_t* offset : {&entry.name, &entry.path}) {
      if (*offset < cache.texts_at || *offset - cache.texts_at >= cache.texts.size())
        return unfit("a text lies outside of its part of the file");
      *offset -= static_cast<std::uint32_t>(cache.texts_at);
    }
    cache.entries.push_back(entry);
  }
  return {};
}

Result<Cache> read_cache(std::string_view whole) {
  if (whole.size() > vendors::kMaxLdCacheBytes) return unfit("it is too large");
  const auto part = new_part(whole);
  if (!part) return unfit("it is not of the format that loaders since glibc 2.2 read");
  const std::string_view file = *part;
  constexpr char kLittleEndian = 2;
  Cache cache;
  cache.endian = file[kFlagsAt];
  if (cache.endian != 0 && cache.endian != kLittleEndian) return unfit("it is not little endian");
  const std::size_t count = u32_at(file, kCountAt);
  if ((file.size() - kHeader) / kEntry < count) return unfit("more entries than the file holds");
  cache.texts_at = kHeader + count * kEntry;
  const std::size_t bytes = u32_at(file, kTextBytesAt);
  if (file.size() - cache.texts_at < bytes) return unfit("more text than the file holds");
  cache.texts = file.substr(cache.texts_at, bytes);
  HAMI_CHECK(read_sections(file, cache));
  HAMI_CHECK(read_entries(file, count, cache));
  return cache;
}

std::uint32_t add_text(Cache& cache, std::string_view text) {
  const auto at = static_cast<std::uint32_t>(cache.texts.size());
  cache.texts.append(text).push_back('\0');
  return at;
}

// The entry for `added` that is there already, taken out; or a new one.
Entry take_or_make(Cache& cache, const CacheEntry& added) {
  const auto is_it = [&](const Entry& entry) {
    return entry.flags == added.flags && cache.text(entry.name) == added.name &&
           cache.text(entry.path) == added.path;
  };
  const auto found = std::find_if(cache.entries.begin(), cache.entries.end(), is_it);
  if (found != cache.entries.end()) {
    const Entry entry = *found;
    cache.entries.erase(found);
    return entry;
  }
  static constexpr char kNoRequirements[kEntry - 12] = {};
  return {added.flags,
          add_text(cache, added.name),
          add_text(cache, added.path),
          {kNoRequirements, sizeof kNoRequirements}};
}

// The file is sorted from the greatest name to the smallest, and of equal ones the loader takes the first.
void insert(Cache& cache, const CacheEntry& added) {
  const Entry entry = take_or_make(cache, added);
  const auto place = std::partition_point(
      cache.entries.begin(), cache.entries.end(),
      [&](const Entry& other) { return compare_cache_names(cache.text(other.name), added.name) > 0; });
  cache.entries.insert(place, entry);
}

// `file` holds everything before the extension; the offsets of texts move by `shift`.
void write_sections(const Cache& cache, std::uint32_t shift, std::string& file) {
  put_u32(file, kExtensionMagic);
  put_u32(file, static_cast<std::uint32_t>(cache.sections.size()));
  std::size_t offset = file.size() + cache.sections.size() * kSection;
  for (const Section& section : cache.sections) {
    offset = (offset + 3U) & ~std::size_t{3U};
    for (const std::uint32_t word : {section.tag, section.flags, static_cast<std::uint32_t>(offset),
                                     static_cast<std::uint32_t>(section.data.size())})
      put_u32(file, word);
    offset += section.data.size();
  }
  for (const Section& section : cache.sections) {
    file.resize((file.size() + 3U) & ~std::size_t{3U});
    if (section.tag != kHwcaps) {
      file += section.data;
      continue;
    }
    for (std::size_t at = 0; at < section.data.size(); at += 4)
      put_u32(file, u32_at(section.data, at) + shift);
  }
}

std::string write_cache(const Cache& cache) {
  const auto texts_at = static_cast<std::uint32_t>(kHeader + cache.entries.size() * kEntry);
  std::string file(kMagic);
  put_u32(file, static_cast<std::uint32_t>(cache.entries.size()));
  put_u32(file, static_cast<std::uint32_t>(cache.texts.size()));
  file.push_back(cache.endian);
  file.resize(kExtensionAt);
  const std::size_t extension = (texts_at + cache.texts.size() + 3U) & ~std::size_t{3U};
  put_u32(file, cache.sections.empty() ? 0 : static_cast<std::uint32_t>(extension));
  file.resize(kHeader);
  for (const Entry& entry : cache.entries) {
    for (const std::uint32_t word : {entry.flags, entry.name + texts_at, entry.path + texts_at})
      put_u32(file, word);
    file += entry.rest;
  }
  file += cache.texts;
  if (cache.sections.empty()) return file;
  file.resize(extension);
  write_sections(cache, texts_at - static_cast<std::uint32_t>(cache.texts_at), file);
  return file;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits at the start of `text`; too large a number is the greatest.
std::uint64_t take_number(std::string_view& text) {
  constexpr std::uint64_t kGreatest = UINT64_MAX / 16;
  std::uint64_t value = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1))
    value = std::min(value * 10 + static_cast<std::uint64_t>(text.front() - '0'), kGreatest);
  return value;
}

}  // namespace

int compare_cache_names(std::string_view left, std::string_view right) {
  while (!left.empty() && !right.empty()) {
    if (is_digit(left.front()) != is_digit(right.front())) return is_digit(left.front()) ? 1 : -1;
    if (!is_digit(left.front())) {
      if (left.front() != right.front()) return left.front() < right.front() ? -1 : 1;
      left.remove_prefix(1);
      right.remove_prefix(1);
      continue;
    }
    const std::uint64_t a = take_number(left);
    const std::uint64_t b = take_number(right);
    if (a != b) return a < b ? -1 : 1;
  }
  if (left.empty() && right.empty()) return 0;
  return left.empty() ? -1 : 1;
}

Result<std::string> add_to_cache(std::string_view cache, const std::vector<CacheEntry>& added) {
  HAMI_TRY(Cache parts, read_cache(cache));
  // Backwards, so that of two with one name the first stays first.
  for (auto entry = added.rbegin(); entry != added.rend(); ++entry) insert(parts, *entry);
  return write_cache(parts);
}

}  // namespace hami::hook
