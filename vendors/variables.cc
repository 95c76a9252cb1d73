#include "vendors/variables.h"

#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

tl::expected<std::vector<VariableUse>, std::size_t> variables_in(std::string_view text) {
  std::vector<VariableUse> found;
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at)) {
    if (text.substr(at, 2) != "${") return tl::unexpected<std::size_t>(at);
    std::size_t end = at + 2;
    while (end < text.size() && is_name_char(text[end])) ++end;
    if (end == text.size() || text[end] != '}' || end == at + 2) return tl::unexpected<std::size_t>(at);
    found.push_back({std::string(text.substr(at + 2, end - at - 2)), at});
    at = end + 1;
  }
  return found;
}

Result<std::string> expand(std::string_view text, const Variables& values) {
  const auto uses = variables_in(text);
  if (!uses) return fail(Errc::internal, text::cat({"expand ", text::quote(text), ": malformed variable"}));
  std::string out;
  std::size_t from = 0;
  for (const auto& use : *uses) {
    const auto value = values.find(use.name);
    if (value == values.end()) {
      return fail(Errc::not_found, text::cat({"expand ", text::quote(text), ": ", text::quote(use.name),
                                              " has no value here"}));
    }
    out += text.substr(from, use.offset - from);
    out += value->second;
    from = use.offset + use.name.size() + 3;
  }
  out += text.substr(from);
  return out;
}

}  // namespace hami::vendors
