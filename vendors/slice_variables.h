// ${dev.…} and ${slice.…} of one device that a container gets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vendors/inventory.h"
#include "vendors/recipe.h"
#include "vendors/render.h"
#include "vendors/variables.h"

namespace hami::vendors {

// Numbers of the parts of compute that a slice has.
[[nodiscard]] std::vector<std::uint32_t> parts_of(const Slice& slice);

// "4-7,9" for 0 to 3 and 5 on top of `base`.
[[nodiscard]] std::string listed(const std::vector<std::uint32_t>& parts, std::uint32_t base);

// Adds the variables of the slice and of its device, which is the container's `ordinal`th.
void add_slice_variables(Variables& variables, const SliceRules& rules, const Device& device,
                         const Slice& slice, std::size_t ordinal);

}  // namespace hami::vendors
