#include "oci-config/base/parts.h"

#include <vector>

#include "oci-config/base/text.h"

namespace hami {

namespace {

bool add_range(std::string_view text, std::size_t& from, Parts& parts) {
  const auto dash = text.find('-');
  const auto first = text::parse_u64(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : text::parse_u64(text.substr(dash + 1));
  if (!first || !last || *first < from || *last < *first || *last >= kMaxParts) return false;
  for (auto i = *first; i <= *last; ++i) parts.set(i);
  from = *last + 1;
  return true;
}

}  // namespace

std::string list_parts(const Parts& parts, std::uint32_t base) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts.test(i)) continue;
    const std::size_t first = i;
    while (i + 1 < parts.size() && parts.test(i + 1)) ++i;
    std::string range = text::number(base + first);
    if (i != first) range += text::cat({"-", text::number(base + i)});
    ranges.push_back(std::move(range));
  }
  return text::join(ranges, ",");
}

std::optional<Parts> parse_parts(std::string_view text) {
  Parts parts;
  if (text.empty()) return parts;
  std::size_t from = 0;
  for (const std::string_view range : text::split(text, ',')) {
    if (!add_range(range, from, parts)) return std::nullopt;
  }
  return parts;
}

std::uint64_t word_of_parts(const Parts& parts, std::size_t index) {
  return ((parts >> (64 * index)) & Parts(~std::uint64_t{0})).to_ullong();
}

}  // namespace hami
