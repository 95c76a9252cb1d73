#include "oci-config/base/quantity.h"

#include <optional>

#include "oci-config/base/text.h"

namespace hami {

namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr int kMostDigits = 18;  // a number of so many, times the largest suffix, fits Wide

// What a suffix multiplies by: a power of two and a power of ten.
struct Factor {
  unsigned twos = 0;
  int tens = 0;
};

std::optional<Factor> factor_of_letter(std::string_view suffix) {
  constexpr std::string_view kLarge = "kMGTPE";
  constexpr std::string_view kSmall = "num";
  constexpr std::string_view kBinary = "KMGTPE";
  if (suffix.empty()) return Factor{};
  if (suffix.size() == 2 && suffix[1] == 'i' && kBinary.find(suffix[0]) != std::string_view::npos)
    return Factor{10 * static_cast<unsigned>(kBinary.find(suffix[0]) + 1), 0};
  if (suffix.size() != 1) return std::nullopt;
  if (const auto at = kLarge.find(suffix[0]); at != std::string_view::npos)
    return Factor{0, 3 * static_cast<int>(at + 1)};
  if (const auto at = kSmall.find(suffix[0]); at != std::string_view::npos)
    return Factor{0, -9 + 3 * static_cast<int>(at)};
  return std::nullopt;
}

// "e3", "E-2"
std::optional<Factor> factor_of_exponent(std::string_view suffix) {
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return std::nullopt;
  suffix.remove_prefix(1);
  const bool is_negative = suffix.front() == '-';
  if (is_negative || suffix.front() == '+') suffix.remove_prefix(1);
  const auto exponent = text::parse_u64(suffix);
  if (!exponent || *exponent > kMostDigits) return std::nullopt;
  return Factor{0, is_negative ? -static_cast<int>(*exponent) : static_cast<int>(*exponent)};
}

Wide power_of_ten(int exponent) {
  Wide out = 1;
  for (int i = 0; i < exponent; ++i) out *= 10;
  return out;
}

tl::unexpected<Error> bad_quantity(std::string_view value) {
  return fail(Errc::invalid_request, text::cat({text::quote(value), " is not an amount of memory"}),
              "write it as Kubernetes does, such as 3000Mi or 12Gi");
}

}  // namespace

Result<Bytes> parse_quantity(std::string_view value) {
  std::string_view rest = value;
  if (!rest.empty() && rest.front() == '+') rest.remove_prefix(1);
  Wide number = 0;
  int digits = 0;
  int fraction = 0;  // of the digits
  bool has_point = false;
  for (; !rest.empty(); rest.remove_prefix(1)) {
    const char c = rest.front();
    if (c == '.' && !has_point) {
      has_point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    number = number * 10 + static_cast<Wide>(c - '0');
    fraction += has_point ? 1 : 0;
    if (++digits > kMostDigits) return bad_quantity(value);
  }
  if (digits == 0) return bad_quantity(value);
  auto factor = factor_of_letter(rest);
  if (!factor) factor = factor_of_exponent(rest);
  if (!factor) return bad_quantity(value);

  number <<= factor->twos;
  const int tens = factor->tens - fraction;
  const Wide divisor = tens < 0 ? power_of_ten(-tens) : 1;
  number = tens > 0 ? number * power_of_ten(tens) : (number + divisor - 1) / divisor;
  if (number > UINT64_MAX) return bad_quantity(value);
  return Bytes{static_cast<std::uint64_t>(number)};
}

}  // namespace hami
