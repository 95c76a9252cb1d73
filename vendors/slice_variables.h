// ${dev.…} and ${slice.…} of one device that a container gets.
#pragma once

#include <cstddef>

#include "vendors/inventory.h"
#include "vendors/recipe.h"
#include "vendors/render.h"
#include "vendors/variables.h"

namespace hami::vendors {

// Adds the variables of the slice and of its device, which is the container's `ordinal`th.
void add_slice_variables(Variables& variables, const SliceRules& rules, const Device& device,
                         const Slice& slice, std::size_t ordinal);

}  // namespace hami::vendors
