// Recipes without reading YAML: a copy of what the files said, kept until one of them changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// Like load_recipes. `cache` is a file of ours (its directory is made when missing); one that is not there,
// not ours, damaged or of other files than now is replaced, and one that cannot be written is done without.
[[nodiscard]] Result<std::vector<Recipe>> load_recipes_cached(const std::vector<std::string>& directories,
                                                              const std::string& cache);

// The recipes as bytes, and back. `stamp` says for which files they hold. Reading fails with io on anything
// that is not exactly what was written for this stamp.
[[nodiscard]] std::string pack_recipes(std::vector<Recipe> recipes, std::string_view stamp);
[[nodiscard]] Result<std::vector<Recipe>> unpack_recipes(std::string_view bytes, std::string_view stamp);

}  // namespace hami::vendors
