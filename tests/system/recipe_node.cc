// recipe-node RECIPE DIR: makes DIR the node that the recipe's own tests describe. Needs root.
#include <cstdio>

#include "hamictl/recipe_node.h"
#include "oci-config/base/files.h"
#include "vendors/recipe_tests.h"

namespace {

hami::Result<> build_node(const std::string& recipe, const std::string& directory) {
  constexpr std::size_t kMaxRecipe = std::size_t{1} << 20;
  HAMI_TRY(const auto text, hami::files::read(recipe, kMaxRecipe));
  HAMI_TRY(const auto tests, hami::vendors::parse_recipe_tests(text, recipe));
  HAMI_TRY(const auto node, hami::hamictl::RecipeNode::build(tests.node));
  if (std::rename(node.directory().c_str(), directory.c_str()) != 0)
    return hami::fail_errno("make", directory);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: recipe-node RECIPE DIR\n", stderr);
    return 2;
  }
  const auto built = build_node(argv[1], argv[2]);
  if (built) return 0;
  std::fprintf(stderr, "recipe-node: %s\n", built.error().line().c_str());
  return 1;
}
