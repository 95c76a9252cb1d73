// The test on raw text that saves most containers the parsing: may_contain().
#include <algorithm>
#include <bitset>
#include <charconv>
#include <system_error>

#include "oci-config/view.h"

namespace hami::oci {

namespace {

using ByteSet = std::bitset<256>;

ByteSet bytes_of(const std::vector<std::string_view>& needles) {
  ByteSet bytes;
  for (const auto needle : needles) {
    for (const char c : needle) bytes.set(static_cast<unsigned char>(c));
  }
  return bytes;
}

// Whether JSON may spell one of `bytes` with the escape whose backslash is at the start of `escape`. An
// escaped backslash before a plain letter looks the same; then the answer is needlessly true.
bool may_hide(std::string_view escape, const ByteSet& bytes) {
  if (escape.size() < 2) return false;
  switch (escape[1]) {
    case '/':
      return bytes['/'];
    case 'u':
      break;
    default:
      return bytes.test('"') || bytes.test('\\') || (bytes << (256 - 32)).any();  // control characters
  }
  if (escape.size() < 6) return true;
  unsigned int code = 0;
  const auto [end, error] = std::from_chars(escape.data() + 2, escape.data() + 6, code, 16);
  if (error != std::errc{} || end != escape.data() + 6) return true;
  if (code < 0x80) return bytes[code];
  return (bytes >> 0x80).any();
}

bool has_escape_for(std::string_view text, const ByteSet& bytes) {
  for (auto at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at + 1)) {
    if (may_hide(text.substr(at), bytes)) return true;
  }
  return false;
}

}  // namespace

bool may_contain(std::string_view text, const std::vector<std::string_view>& needles) {
  const auto is_in_text = [text](std::string_view needle) {
    return text.find(needle) != std::string_view::npos;
  };
  const bool found = std::any_of(needles.begin(), needles.end(), is_in_text);
  return found || has_escape_for(text, bytes_of(needles));
}

}  // namespace hami::oci
