#include "oci-config/base/json_read.h"

#include <cstdint>
#include <string>
#include <vector>

#include "oci-config/base/text.h"

namespace hami {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A byte of a string that stands for itself and is a whole character.
bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

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

// Recursion would let a document choose our stack depth; the open containers are kept in a list instead.
class Reader {
 public:
  Reader(std::string_view text, int max_depth, JsonEvents& events)
      : text_(text), max_depth_(static_cast<std::size_t>(max_depth)), events_(events) {}

  Result<> run() {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") {
      return error("the text begins with a byte order mark", "save it as UTF-8 without one");
    }
    skip_blanks();
    if (peek() != '{') return error("an object was expected at the top");
    HAMI_CHECK(open(Kind::object));
    while (!open_.empty()) HAMI_CHECK(step());
    skip_blanks();
    if (at_ != text_.size()) return error("text after the end of the document", "remove it");
    return {};
  }

 private:
  enum class Kind : std::uint8_t { object, array };
  struct Open {
    Kind kind = Kind::object;
    bool empty = true;  // nothing read in it yet
  };

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_blanks() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n')) ++at_;
  }

  [[nodiscard]] tl::unexpected<Error> error(std::string_view what,
                                            std::string_view hint = "write it as RFC 8259 says") const {
    std::size_t line = 1;
    std::size_t start = 0;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] != '\n') continue;
      ++line;
      start = i + 1;
    }
    std::string message =
        text::cat({"line ", text::number(line), ", column ", text::number(at_ - start + 1), ": ", what});
    return fail(Errc::invalid_spec, std::move(message), std::string(hint));
  }

  [[nodiscard]] tl::unexpected<Error> expected(std::string_view what) const {
    if (at_ >= text_.size()) return error("the text ends in the middle", "write the file again, completely");
    return error(text::cat({what, " was expected"}));
  }

  // The bracket is still ahead.
  Result<> open(Kind kind) {
    if (open_.size() >= max_depth_) {
      return error(text::cat({"nested deeper than ", text::number(max_depth_), " levels"}),
                   "nest it less deeply");
    }
    ++at_;
    open_.push_back(Open{kind, true});
    kind == Kind::object ? events_.begin_object() : events_.begin_array();
    return {};
  }

  // One element of the innermost open container, or its end.
  Result<> step() {
    skip_blanks();
    Open& inner = open_.back();
    const bool object = inner.kind == Kind::object;
    if (peek() == (object ? '}' : ']')) {
      ++at_;
      open_.pop_back();
      events_.end();
      return {};
    }
    if (!inner.empty) {
      if (peek() != ',') return expected(object ? "',' or '}'" : "',' or ']'");
      ++at_;
      skip_blanks();
    }
    inner.empty = false;
    if (object) HAMI_CHECK(member_name());
    return value();
  }

  Result<> member_name() {
    if (peek() != '"') return expected("a member name in double quotes");
    const std::size_t start = at_;
    HAMI_CHECK(string());
    const bool nul = string_.find('\0') != std::string::npos;
    if (nul || !events_.name(string_)) {
      at_ = start;
      if (nul) return error("a member name with a NUL character", "remove that member");
      return error(text::cat({"duplicate member ", text::quote(string_, 60)}),
                   "keep one of them: programs disagree on which one counts");
    }
    skip_blanks();
    if (peek() != ':') return expected("':'");
    ++at_;
    skip_blanks();
    return {};
  }

  Result<> value() {
    switch (peek()) {
      case '{':
        return open(Kind::object);
      case '[':
        return open(Kind::array);
      case '"':
        HAMI_CHECK(string());
        events_.text(string_);
        return {};
      case 't':
        HAMI_CHECK(word("true"));
        events_.boolean(true);
        return {};
      case 'f':
        HAMI_CHECK(word("false"));
        events_.boolean(false);
        return {};
      case 'n':
        HAMI_CHECK(word("null"));
        events_.null();
        return {};
      default:
        return number();
    }
  }

  Result<> word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return expected("a value");
    at_ += word.size();
    return {};
  }

  // At least one digit.
  Result<> digits(std::string_view where) {
    if (!is_digit(peek())) return expected(where);
    while (is_digit(peek())) ++at_;
    return {};
  }

  Result<> number() {
    const std::size_t start = at_;
    const bool negative = peek() == '-';
    if (negative) ++at_;
    const std::size_t first = at_;
    HAMI_CHECK(digits("a value"));
    const std::string_view whole = text_.substr(first, at_ - first);
    if (whole.size() > 1 && whole.front() == '0') {
      at_ = start;
      return error("a number with a leading zero");
    }
    if (peek() == '.' || peek() == 'e' || peek() == 'E') {
      HAMI_CHECK(fraction_and_exponent());
      events_.real(std::string(text_.substr(start, at_ - start)));
      return {};
    }
    const auto magnitude = text::parse_u64(whole);
    constexpr std::uint64_t kLowest = std::uint64_t{1} << 63U;  // of a signed 64-bit integer, without sign
    if (!magnitude || (negative && *magnitude > kLowest)) {
      at_ = start;
      return error("an integer that does not fit 64 bits",
                   "programs round it differently; write one that fits");
    }
    events_.integer(negative, *magnitude);
    return {};
  }

  Result<> fraction_and_exponent() {
    if (peek() == '.') {
      ++at_;
      HAMI_CHECK(digits("a digit after '.'"));
    }
    if (peek() != 'e' && peek() != 'E') return {};
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    return digits("a digit in the exponent");
  }

  // A string with its quotes; the decoded text is left in string_.
  Result<> string() {
    string_.clear();
    ++at_;
    while (true) {
      const std::size_t start = at_;
      while (at_ < text_.size() && is_plain(text_[at_])) ++at_;
      string_ += text_.substr(start, at_ - start);
      if (at_ >= text_.size()) return expected("'\"'");
      const char c = text_[at_];
      if (c == '"') break;
      if (c == '\\') {
        HAMI_CHECK(escape());
      } else {
        HAMI_CHECK(character());
      }
    }
    ++at_;
    return {};
  }

  // A character of several bytes.
  Result<> character() {
    if (static_cast<unsigned char>(peek()) < 0x20) return error("a control character inside a string");
    const std::size_t length = text::utf8_length(text_.substr(at_));
    if (length == 0) return error("bytes that are not UTF-8");
    string_ += text_.substr(at_, length);
    at_ += length;
    return {};
  }

  Result<> escape() {
    const std::size_t start = at_++;
    const char kind = peek();
    constexpr std::string_view kinds = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (const auto index = kinds.find(kind); index != std::string_view::npos) {
      ++at_;
      string_ += meanings[index];
      return {};
    }
    if (kind != 'u') return error("an unknown escape in a string");
    ++at_;
    HAMI_TRY(std::uint32_t code, hex4());
    if (code >= 0xd800 && code < 0xe000) {
      std::uint32_t low = 0;
      if (code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
        at_ += 2;
        HAMI_TRY(low, hex4());
      }
      if (low < 0xdc00 || low >= 0xe000) {
        at_ = start;
        return error("a lone surrogate in a string", "programs read it differently; remove it");
      }
      code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    }
    append_utf8(string_, code);
    return {};
  }

  Result<std::uint32_t> hex4() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_value(peek());
      if (digit < 0) return expected("a hexadecimal digit (four after \\u)");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
  }

  std::string_view text_;
  std::size_t max_depth_;
  JsonEvents& events_;
  std::size_t at_ = 0;
  std::vector<Open> open_;  // outermost first
  std::string string_;      // decoded, reused
};

}  // namespace

Result<> read_json(std::string_view text, int max_depth, JsonEvents& events) {
  return Reader(text, max_depth, events).run();
}

}  // namespace hami
