#include "runtime-shim/request/values.h"

#include <algorithm>
#include <array>

namespace hami::shim {

namespace {

tl::unexpected<Error> bad_value(const Word& word, std::string_view expected, std::string hint) {
  return fail(Errc::invalid_request,
              text::cat({word.origin, ": ", text::quote(word.value), " is not ", expected}), std::move(hint));
}

}  // namespace

Result<std::uint64_t> parse_number(const Word& word, std::uint64_t least, std::uint64_t most,
                                   std::string_view unit, std::string_view example) {
  const auto number = text::parse_u64(word.value);
  if (number && *number >= least && *number <= most) return *number;
  const std::string range = text::cat({" from ", text::number(least), " to ", text::number(most)});
  return bad_value(word, text::cat({"a whole number", unit.empty() ? "" : " of ", unit, number ? range : ""}),
                   text::cat({"write digits only, such as \"", example, "\""}));
}

Result<bool> parse_flag(const Word& word) {
  const std::string lowered = text::lower(word.value);
  constexpr std::array<std::string_view, 4> yes{"true", "1", "yes", "on"};
  constexpr std::array<std::string_view, 4> no{"false", "0", "no", "off"};
  if (std::find(yes.begin(), yes.end(), lowered) != yes.end()) return true;
  if (std::find(no.begin(), no.end(), lowered) != no.end()) return false;
  return bad_value(word, "a yes or no", "write \"true\" or \"false\"");
}

bool is_go_true(std::string_view text) {
  constexpr std::array<std::string_view, 6> yes{"1", "t", "T", "true", "TRUE", "True"};
  return std::find(yes.begin(), yes.end(), text) != yes.end();
}

Names parse_names(std::string_view text) {
  Names names;
  for (const std::string_view part : text::split(text, ',')) {
    const std::string_view name = text::trim(part);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

tl::unexpected<Error> disagreement(std::string_view one, std::string_view other, std::string_view about) {
  return fail(Errc::invalid_request, text::cat({one, " and ", other, " disagree about the ", about}),
              "write it in one place only");
}

Result<> take_memory_wait(const Word& word, VendorRequest& out) {
  HAMI_TRY(const auto seconds, parse_number(word, 0, 3600, "seconds", "30"));
  return put(out.memory_wait, static_cast<std::uint32_t>(seconds), word.origin, "wait for memory");
}

}  // namespace hami::shim
