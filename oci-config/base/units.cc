#include "oci-config/base/units.h"

#include <optional>

#include "oci-config/base/text.h"

namespace hami {

namespace {

// Binary exponent of a unit, nullopt for an unknown one.
std::optional<unsigned> unit_shift(std::string_view unit) {
  const std::string lowered = text::lower(unit);
  if (lowered.empty() || lowered == "b") return 0;
  const auto rest = std::string_view(lowered).substr(1);
  if (!rest.empty() && rest != "i" && rest != "ib" && rest != "b") return std::nullopt;
  switch (lowered.front()) {
    case 'k':
      return 10;
    case 'm':
      return 20;
    case 'g':
      return 30;
    case 't':
      return 40;
    default:
      return std::nullopt;
  }
}

std::size_t count_digits(std::string_view value) {
  std::size_t n = 0;
  while (n < value.size() && value[n] >= '0' && value[n] <= '9') ++n;
  return n;
}

tl::unexpected<Error> bad_amount(std::string_view value) {
  return fail(Errc::invalid_request, text::cat({text::quote(value), " is not an amount of memory"}),
              "write digits and a unit, such as 3000m or 12GiB");
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view value) {
  const std::string_view all = text::trim(value);
  const std::size_t whole_digits = count_digits(all);
  const auto whole = text::parse_u64(all.substr(0, whole_digits));
  if (!whole) return bad_amount(value);
  std::string_view rest = all.substr(whole_digits);

  std::string_view fraction;
  if (!rest.empty() && rest.front() == '.') {
    fraction = rest.substr(1, count_digits(rest.substr(1)));
    if (fraction.empty() || fraction.size() > 9) return bad_amount(value);
    rest.remove_prefix(1 + fraction.size());
  }
  const auto shift = unit_shift(text::trim(rest));
  if (!shift) return bad_amount(value);

  __extension__ typedef unsigned __int128 Wide;  // fraction and unit at full precision
  Wide total = static_cast<Wide>(*whole) << *shift;
  Wide scale = 1;
  Wide numerator = 0;
  for (const char digit : fraction) {
    numerator = numerator * 10 + static_cast<Wide>(digit - '0');
    scale *= 10;
  }
  total += (numerator << *shift) / scale;
  if (total > UINT64_MAX) return bad_amount(value);
  return Bytes{static_cast<std::uint64_t>(total)};
}

std::string to_text(Bytes bytes) {
  if (bytes.value % kMiB == 0) return text::cat({text::number(bytes.value / kMiB), "MiB"});
  return text::cat({text::number(bytes.value), "B"});
}

}  // namespace hami
