#include "vendors/values.h"

#include <algorithm>

#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxValue = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_id(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

template <typename Predicate>
bool all(std::string_view text, Predicate predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}

bool is_version(std::string_view word) {
  const auto parts = text::split(word, '.');
  return parts.size() > 1 &&
         std::all_of(parts.begin(), parts.end(), [](auto part) { return all(part, is_digit); });
}

// dddd:bb:dd.f with a domain of four to eight digits.
bool is_bdf(std::string_view word) {
  const auto parts = text::split(word, ':');
  if (parts.size() != 3 || parts[0].size() < 4 || parts[0].size() > 8 || parts[1].size() != 2 ||
      parts[2].size() != 4)
    return false;
  return all(parts[0], is_hex) && all(parts[1], is_hex) && all(parts[2].substr(0, 2), is_hex) &&
         parts[2][2] == '.' && is_digit(parts[2][3]);
}

bool is_of(ValueType type, std::string_view word) {
  switch (type) {
    case ValueType::number:
      return all(word, is_digit) && word.size() <= 19;
    case ValueType::integer:
      return all(word.substr(word.starts_with("-") ? 1 : 0), is_digit) && word.size() <= 19;
    case ValueType::version:
      return is_version(word);
    case ValueType::bdf:
      return is_bdf(word);
    case ValueType::uuid:
      return all(word, is_id) && word.size() >= 4 && word.size() <= 80;
    case ValueType::hex:
      return all(word.substr(word.starts_with("0x") ? 2 : 0), is_hex) && word.size() <= 18;
    case ValueType::text:
      return true;
  }
  return false;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::optional<std::string> typed_value(ValueType type, std::string_view text) {
  text = text::trim(text);
  if (type == ValueType::text) {
    std::string value(text::trim(first_line(text)).substr(0, kMaxValue));
    std::replace_if(
        value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    if (value.empty()) return std::nullopt;
    return value;
  }
  while (!text.empty()) {
    const auto end = text.find_first_of(" \t\r\n");
    const auto word = text.substr(0, end);
    if (is_of(type, word)) return std::string(word);
    // An identity that is not known yet must not be replaced by a later word.
    if (type != ValueType::version || end == std::string_view::npos) return std::nullopt;
    text = text::trim(text.substr(end));
  }
  return std::nullopt;
}

std::optional<std::string_view> value_of_key(std::string_view text, std::string_view key) {
  for (const auto line : text::split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    const auto rest = text::trim(line.substr(key.size()));
    if (rest.starts_with(":")) return text::trim(rest.substr(1));
  }
  return std::nullopt;
}

std::optional<std::string_view> text_after(std::string_view text, std::string_view marker) {
  const auto at = text.find(marker);
  if (at == std::string_view::npos) return std::nullopt;
  return first_line(text.substr(at + marker.size()));
}

std::string normal_bdf(std::string_view bdf) {
  std::string result = text::lower(bdf);
  const auto colon = result.find(':');
  if (colon == std::string::npos || colon <= 4) return result;
  const auto extra = colon - 4;
  if (result.find_first_not_of('0') >= extra) result.erase(0, extra);
  return result;
}

}  // namespace hami::vendors
