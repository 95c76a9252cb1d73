// Recipe files → recipes. Strict: what is not understood is an error with file, line and column, never
// ignored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// One file of kind Recipe that extends nothing. `file_name` is for messages. Fails with invalid_config.
[[nodiscard]] Result<Recipe> parse_recipe(std::string_view yaml, std::string_view file_name);

// The recipe of one file, whatever its kind: what it extends comes from `directories`, as load_recipes reads
// them. An overlay gives the recipe with it applied.
[[nodiscard]] Result<Recipe> load_recipe_file(const std::string& path,
                                              const std::vector<std::string>& directories);

// All *.yaml files of the directories, in the order given and by name within one. A directory that does not
// exist is empty; directories and files must belong to root (or to us) and not be writable by others.
//
// kind Recipe makes a recipe; with `extends: <recipe>` it starts from a copy of that one. kind Overlay
// changes the recipe it extends in place (or the recipe below another overlay, after that overlay): values
// replace, maps are merged, an inject block replaces the one with its id or is appended. Fails with
// invalid_config (two recipes of one name, unknown or cyclic extends, any error in a file), denied
// (ownership) or io.
[[nodiscard]] Result<std::vector<Recipe>> load_recipes(const std::vector<std::string>& directories);

}  // namespace hami::vendors
