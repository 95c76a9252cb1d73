#include "oci-config/base/json_scan.h"

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "oci-config/base/text.h"

namespace hami {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0U | (code >> 6U));
    put(0x80U | (code & 0x3fU));
  } else if (code < 0x10000) {
    put(0xe0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3fU));
    put(0x80U | (code & 0x3fU));
  } else {
    put(0xf0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3fU));
    put(0x80U | ((code >> 6U) & 0x3fU));
    put(0x80U | (code & 0x3fU));
  }
}

// Recursion would let a document choose our stack depth; the open containers are kept here instead.
class Scanner {
 public:
  Scanner(std::string_view text, int max_depth)
      : text_(text), max_depth_(static_cast<std::size_t>(max_depth)) {}

  Result<> run() {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") return error("the text begins with a byte order mark");
    skip_blanks();
    if (peek() != '{') return error("an object was expected at the top");
    HAMI_CHECK(open('{'));
    while (!stack_.empty()) HAMI_CHECK(step());
    skip_blanks();
    if (at_ != text_.size()) return error("text after the end of the document");
    return {};
  }

 private:
  struct Frame {
    bool object = false;
    bool empty = true;  // nothing read in it yet
    std::unordered_set<std::string> names;
  };

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_blanks() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n')) ++at_;
  }

  [[nodiscard]] tl::unexpected<Error> error(std::string_view what) const {
    std::size_t line = 1;
    std::size_t start = 0;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] != '\n') continue;
      ++line;
      start = i + 1;
    }
    return fail(Errc::invalid_spec, text::cat({"line ", text::number(line), ", column ",
                                               text::number(at_ - start + 1), ": ", what}));
  }

  Result<> open(char bracket) {
    if (stack_.size() >= max_depth_) {
      return error(text::cat({"nested deeper than ", text::number(max_depth_), " levels"}));
    }
    ++at_;
    stack_.push_back(Frame{bracket == '{', true, {}});
    return {};
  }

  // Reads one member, one element, or the end of the innermost container.
  Result<> step() {
    skip_blanks();
    Frame& frame = stack_.back();
    const char close = frame.object ? '}' : ']';
    if (peek() == close) {
      ++at_;
      stack_.pop_back();
      return {};
    }
    if (!frame.empty) {
      if (peek() != ',')
        return error(at_ == text_.size() ? "the text ends in the middle" : "',' was expected");
      ++at_;
      skip_blanks();
    }
    frame.empty = false;
    if (frame.object) HAMI_CHECK(member_name(frame));
    return value();
  }

  Result<> member_name(Frame& frame) {
    if (peek() != '"') return error("a member name in double quotes was expected");
    const std::size_t start = at_;
    std::string name;
    HAMI_CHECK(string(&name));
    if (!frame.names.insert(name).second) {
      at_ = start;
      return error(text::cat({"duplicate member ", text::quote(name, 60)}));
    }
    skip_blanks();
    if (peek() != ':') return error("':' was expected");
    ++at_;
    skip_blanks();
    return {};
  }

  Result<> value() {
    switch (peek()) {
      case '{':
      case '[':
        return open(peek());
      case '"':
        return string(nullptr);
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  Result<> word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return error("a value was expected");
    at_ += expected.size();
    return {};
  }

  void digits() {
    while (is_digit(peek())) ++at_;
  }

  Result<> number() {
    const std::size_t start = at_;
    const bool negative = peek() == '-';
    if (negative) ++at_;
    const std::size_t first = at_;
    if (!is_digit(peek()))
      return error(at_ == text_.size() ? "the text ends in the middle" : "a value was expected");
    digits();
    const std::string_view whole = text_.substr(first, at_ - first);
    if (whole.size() > 1 && whole.front() == '0') return error("a number with a leading zero");
    bool integer = true;
    if (peek() == '.') {
      integer = false;
      ++at_;
      if (!is_digit(peek())) return error("a digit was expected after '.'");
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      integer = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return error("a digit was expected in the exponent");
      digits();
    }
    if (!integer) return {};
    const auto magnitude = text::parse_u64(whole);
    const bool fits = magnitude && (!negative || *magnitude <= (std::uint64_t{1} << 63U));
    if (fits) return {};
    at_ = start;
    return error("an integer that does not fit 64 bits");
  }

  // A string with its quotes. `out`, when given, receives the decoded text.
  Result<> string(std::string* out) {
    ++at_;
    while (true) {
      if (at_ >= text_.size()) return error("the text ends inside a string");
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return error("a control character inside a string");
      if (c == '\\') {
        HAMI_CHECK(escape(out));
      } else {
        HAMI_CHECK(character(out));
      }
    }
    ++at_;
    return {};
  }

  Result<> escape(std::string* out) {
    ++at_;
    const char kind = peek();
    constexpr std::string_view kinds = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const auto index = kind == '\0' ? std::string_view::npos : kinds.find(kind);
    if (index != std::string_view::npos) {
      ++at_;
      if (out != nullptr) *out += meanings[index];
      return {};
    }
    if (kind != 'u') return error("an unknown escape in a string");
    ++at_;
    HAMI_TRY(std::uint32_t code, hex4());
    if (code >= 0xdc00 && code < 0xe000) return error("a lone surrogate in a string");
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") return error("a lone surrogate in a string");
      at_ += 2;
      HAMI_TRY(const std::uint32_t low, hex4());
      if (low < 0xdc00 || low >= 0xe000) return error("a lone surrogate in a string");
      code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    }
    if (out != nullptr) append_utf8(*out, code);
    return {};
  }

  Result<std::uint32_t> hex4() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_value(peek());
      if (digit < 0) return error("four hexadecimal digits were expected");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  Result<> character(std::string* out) {
    const std::size_t length = text::utf8_length(text_.substr(at_));
    if (length == 0) return error("bytes that are not UTF-8");
    if (out != nullptr) *out += text_.substr(at_, length);
    at_ += length;
    return {};
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::vector<Frame> stack_;
};

}  // namespace

Result<> scan_json(std::string_view text, int max_depth) { return Scanner(text, max_depth).run(); }

}  // namespace hami
