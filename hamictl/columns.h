// Tables for people: columns of fixed width.
#pragma once

#include <string>
#include <string_view>

namespace hami::hamictl {

// `text` cut or filled to `width` characters, and a blank.
[[nodiscard]] inline std::string padded(std::string_view text, std::size_t width) {
  std::string out(text.substr(0, width));
  out.resize(width + 1, ' ');
  return out;
}

}  // namespace hami::hamictl
