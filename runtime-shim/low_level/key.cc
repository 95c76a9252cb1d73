#include "runtime-shim/low_level/key.h"

namespace hami::shim {

namespace {

constexpr std::string_view kKey = "low_level";

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Reads the value behind "low_level =" up to the end of its line.
class ValueReader {
 public:
  explicit ValueReader(std::string_view rest) : rest_(skip_blanks(rest)) {}

  bool read(LowLevelKey& key) {
    if (!take('[')) return read_text(key) && at_end();
    while (read_text(key)) {
      if (!take(',')) break;
      if (!rest_.empty() && rest_.front() == ']') break;  // a comma behind the last one is allowed
    }
    return key.count > 0 && take(']') && at_end();
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_ = skip_blanks(rest_.substr(1));
    return true;
  }

  bool read_text(LowLevelKey& key) {
    if (rest_.empty() || rest_.front() != '"' ||
        key.count == static_cast<std::ptrdiff_t>(key.programs.size()))
      return false;
    const auto end = rest_.find('"', 1);
    if (end == std::string_view::npos || end == 1) return false;
    const std::string_view text = rest_.substr(1, end - 1);
    if (contains(text, "\\")) return false;
    key.programs[static_cast<std::size_t>(key.count++)] = text;
    rest_ = skip_blanks(rest_.substr(end + 1));
    return true;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty() || rest_.front() == '#' || rest_ == "\r"; }

  std::string_view rest_;
};

}  // namespace

LowLevelKey find_low_level_key(std::string_view toml) noexcept {
  constexpr LowLevelKey kComplex{LowLevelKey::Kind::complex, {}, 0};
  LowLevelKey found;
  bool in_runtime = false;
  if (contains(toml, "\"\"\"") || contains(toml, "'''")) return kComplex;
  while (!toml.empty()) {
    const auto end = toml.find('\n');
    const std::string_view line = skip_blanks(toml.substr(0, end));
    toml = end == std::string_view::npos ? std::string_view{} : toml.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      in_runtime = line.substr(0, 9) == "[runtime]";
      if (!contains(line, kKey)) continue;
    }
    if (!contains(line, kKey)) continue;
    const std::string_view rest =
        skip_blanks(line.substr(kKey.size() < line.size() ? kKey.size() : line.size()));
    const bool plain =
        in_runtime && line.substr(0, kKey.size()) == kKey && !rest.empty() && rest.front() == '=';
    if (!plain || found.kind != LowLevelKey::Kind::absent) return kComplex;
    if (!ValueReader(rest.substr(1)).read(found)) return kComplex;
    found.kind = LowLevelKey::Kind::simple;
  }
  return found;
}

}  // namespace hami::shim
