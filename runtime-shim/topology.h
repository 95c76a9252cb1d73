// Which devices of a node are near each other, for containers that get several.
#pragma once

#include <cstdint>
#include <vector>

#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::shim {

// Smaller is nearer: links between the devices, or a ring of their board, before a common PCI switch, a
// common host bridge, and a common NUMA node.
[[nodiscard]] std::uint32_t distance(const vendors::Recipe& recipe, const vendors::Device& a,
                                     const vendors::Device& b);

// `count` of `candidates` (positions in `devices`, the preferred first), among them the first `fixed`, so
// that the sum of their distances is small. All candidates when there are no more than `count`.
[[nodiscard]] std::vector<std::size_t> nearest(const vendors::Recipe& recipe,
                                               const std::vector<vendors::Device>& devices,
                                               const std::vector<std::size_t>& candidates, std::size_t fixed,
                                               std::size_t count);

}  // namespace hami::shim
