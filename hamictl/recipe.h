// hamictl recipe: check, test and show recipe files.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::hamictl {

struct RecipeRequest {
  std::vector<std::string> directories = {"/usr/share/hami/vendors", "/etc/hami/vendors.d"};
  std::string golden;   // directory with one directory per case: case.yaml, expected.txt
  bool update = false;  // write expected.txt instead of comparing
};

// Loads the file and says what it is. Fails with invalid_config, naming file, line and column.
[[nodiscard]] Result<std::string> check_recipe(const std::string& file, const RecipeRequest& request);

// Runs the cases in the file, and those of `golden`. Fails with invalid_config when one does not hold, with
// denied where device nodes cannot be made.
[[nodiscard]] Result<std::string> test_recipe(const std::string& file, const RecipeRequest& request);

// Definitions of custom resources in ConfigMaps → an overlay for `recipe`.
[[nodiscard]] Result<std::string> import_recipe(const std::string& file, const std::string& recipe);

// What a vendor's recipe can do and where its facts come from.
[[nodiscard]] Result<std::string> show_recipe(const std::string& name, const RecipeRequest& request);

// All recipes and what each can do, as a table in Markdown.
[[nodiscard]] Result<std::string> recipe_table(const RecipeRequest& request);

}  // namespace hami::hamictl
