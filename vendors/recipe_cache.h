// Recipes without reading YAML: a copy of what the files said, kept until one of them changes.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/discovery.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// All recipes of a node. What containers can ask of a recipe is there at once: metadata, request,
// capabilities, neutralize, slice, modes, resources and support; and what tells whether the recipe is for
// this node: roots and detect. The rest, how devices are found and given, is most of it, and comes with
// complete().
class KeptRecipes {
 public:
  KeptRecipes() = default;

  // The recipes of load_recipes. `cache` is a file of ours (its directory is made when missing); one that is
  // not there, not ours, damaged or of other files than now is replaced, and one that cannot be written is
  // done without: then every recipe is complete.
  [[nodiscard]] static Result<KeptRecipes> load(const std::vector<std::string>& directories,
                                                const std::string& cache);

  // Without those that left_out (discovery.h) names.
  void choose_platform(const HostRoots& roots);

  [[nodiscard]] const std::vector<Recipe>& all() const { return recipes_; }

  // The whole recipe of this name; null when there is none. The pointer holds until the next call. Fails as
  // load_recipes does when the copy is damaged and the files are not as they were.
  [[nodiscard]] Result<const Recipe*> complete(std::string_view name);
  [[nodiscard]] Result<> complete_all();

  // The recipes as bytes, and back. `stamp` says for which files they hold. Reading fails with io on anything
  // that is not exactly what was written for this stamp; what is damaged in the rest of a recipe shows in
  // complete().
  [[nodiscard]] static std::string pack(std::vector<Recipe> recipes, std::string_view stamp);
  [[nodiscard]] static Result<KeptRecipes> unpack(std::string bytes, std::string_view stamp);

 private:
  // Where the rest of a recipe is in `bytes_`; empty when it is complete.
  struct Rest {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  Result<> complete_at(std::size_t index);
  Result<> read_files();

  std::vector<std::string> directories_;
  std::string bytes_;
  std::vector<Rest> rests_;
  std::vector<Recipe> recipes_;
  std::set<std::string> left_out_;  // by choose_platform
};

}  // namespace hami::vendors
