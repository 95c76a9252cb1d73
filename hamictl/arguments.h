// hamictl's command line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hamictl/cdi.h"
#include "hamictl/configure.h"
#include "hamictl/recipe.h"
#include "oci-config/base/result.h"

namespace hami::hamictl {

struct Arguments {
  std::string verb;  // "configure", "ps", "release"; "" for none
  ConfigureRequest configure;
  RecipeRequest recipe;
  CdiRequest cdi;
  std::string state_dir = "/run/hami";
  std::vector<std::string> names;  // words that are no options
  bool json = false;
  bool stale = false;
  bool help = false;
  bool version = false;
};

// Fails with invalid_config on an option the verb does not have, or a missing value.
[[nodiscard]] Result<Arguments> parse_arguments(std::span<const char* const> argv);

}  // namespace hami::hamictl
