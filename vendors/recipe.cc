#include "vendors/recipe.h"

#include <algorithm>
#include <set>

#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

void add_with_implied(const Capabilities& capabilities, const std::string& token,
                      std::set<std::string>& chosen) {
  if (!chosen.insert(token).second) return;
  const auto implied = capabilities.implies.find(token);
  if (implied == capabilities.implies.end()) return;
  for (const auto& more : implied->second) add_with_implied(capabilities, more, chosen);
}

}  // namespace

bool Recipe::is_usual(Mode mode) const {
  const auto rules = modes.find(std::string(to_text(mode)));
  return mode == Mode::hami_core && rules != modes.end() && rules->second == slice;
}

const Block* Recipe::block(std::string_view id) const {
  const auto found = std::find_if(inject.begin(), inject.end(), [id](const Block& b) { return b.id == id; });
  return found == inject.end() ? nullptr : &*found;
}

Result<std::vector<std::string>> select_capabilities(const Capabilities& capabilities,
                                                     std::string_view text) {
  const auto& tokens = capabilities.tokens;
  std::set<std::string> chosen;
  bool named = false;
  for (const auto part : text::split(text, ',')) {
    const std::string token(text::trim(part));
    if (token.empty()) continue;
    named = true;
    if (token == capabilities.all) {
      chosen.insert(tokens.begin(), tokens.end());
      continue;
    }
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) {
      return fail(Errc::invalid_request,
                  text::cat({"read driver capabilities: ", text::quote(token), " is not known"}),
                  text::cat({"use some of ", text::join(tokens, ","), " or ", capabilities.all}));
    }
    add_with_implied(capabilities, token, chosen);
  }
  if (!named) {
    for (const auto& token : capabilities.defaults) add_with_implied(capabilities, token, chosen);
  }
  std::vector<std::string> ordered;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(ordered),
               [&chosen](const std::string& token) { return chosen.contains(token); });
  return ordered;
}

}  // namespace hami::vendors
