#include "libvgpu/core/size.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kMax = std::uint64_t{1} << 63U;

class Cursor {
 public:
  explicit Cursor(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}
  bool done() const noexcept { return at_ == end_; }
  char peek() const noexcept { return done() ? '\0' : *at_; }
  void skip_blanks() noexcept {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  // Takes one character when it is `wanted`, without regard to case.
  bool take(char wanted) noexcept {
    if (done() || (*at_ | 0x20) != (wanted | 0x20)) return false;
    ++at_;
    return true;
  }
  bool is_digit() const noexcept { return !done() && *at_ >= '0' && *at_ <= '9'; }
  unsigned digit() noexcept { return static_cast<unsigned>(*at_++ - '0'); }

 private:
  const char* at_;
  const char* end_;
};

// The power of two of the unit at the cursor; 0 when there is none.
unsigned take_unit(Cursor& cursor) noexcept {
  constexpr char kUnits[] = {'k', 'm', 'g', 't'};
  unsigned shift = 0;
  for (const char unit : kUnits) {
    shift += 10;
    if (!cursor.take(unit)) continue;
    cursor.take('i');
    cursor.take('b');
    return shift;
  }
  cursor.take('b');
  return 0;
}

struct Number {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;  // of `scale`
  std::uint64_t scale = 1;
};

std::optional<Number> take_number(Cursor& cursor) noexcept {
  if (!cursor.is_digit()) return std::nullopt;
  Number number;
  while (cursor.is_digit()) {
    const unsigned digit = cursor.digit();
    if (number.whole > (kMax - digit) / 10) return std::nullopt;
    number.whole = number.whole * 10 + digit;
  }
  if (cursor.peek() != '.') return number;
  cursor.take('.');
  if (!cursor.is_digit()) return std::nullopt;
  while (cursor.is_digit()) {
    const unsigned digit = cursor.digit();
    if (number.scale >= 1'000'000) continue;  // finer than anybody means
    number.fraction = number.fraction * 10 + digit;
    number.scale *= 10;
  }
  return number;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  Cursor cursor(text);
  cursor.skip_blanks();
  const std::optional<Number> number = take_number(cursor);
  if (!number) return std::nullopt;
  cursor.skip_blanks();
  const unsigned shift = take_unit(cursor);
  cursor.skip_blanks();
  if (!cursor.done() || (number->fraction != 0 && shift == 0)) return std::nullopt;
  if (number->whole >= kMax >> shift) return std::nullopt;
  // fraction < scale <= 10^6 < 2^20 and shift <= 40: the product stays below 2^60.
  return (number->whole << shift) + (number->fraction << shift) / number->scale;
}

}  // namespace hami::vgpu
