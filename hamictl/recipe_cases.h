// Tries a recipe: the cases of its `tests`, on a node built for them, through the same steps as `create`.
#pragma once

#include <string>
#include <vector>

#include "hamictl/recipe_node.h"
#include "oci-config/base/result.h"
#include "vendors/recipe.h"
#include "vendors/recipe_tests.h"

namespace hami::hamictl {

// What a request gets, one edit a line, with the node's directory written as "${node}" and the machine's
// library directory with "${host.triplet}"; a refusal is one line "error: …", a container that asks for
// nothing "nothing".
[[nodiscard]] std::vector<std::string> answer_to(const vendors::Recipe& recipe, const RecipeNode& node,
                                                 const vendors::TestCase& test);

// Empty when the answer is what the case expects; else what is wrong.
[[nodiscard]] std::string verdict(const vendors::TestCase& test, const std::vector<std::string>& answer);

}  // namespace hami::hamictl
