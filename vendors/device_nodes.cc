#include "vendors/device_nodes.h"

#include <algorithm>

#include "vendors/render.h"

namespace hami::vendors {

namespace {

// The recipe without everything but nodes: nothing is searched for, and nothing can be missing.
Recipe only_nodes(Recipe recipe) {
  for (Block& block : recipe.inject) {
    Block nodes;
    nodes.id = std::move(block.id);
    nodes.for_each = block.for_each;
    nodes.when = std::move(block.when);
    nodes.device_nodes = std::move(block.device_nodes);
    for (DeviceNodeRule& rule : nodes.device_nodes) rule.required = false;
    block = std::move(nodes);
  }
  return recipe;
}

}  // namespace

Result<std::vector<std::vector<oci::DeviceEdit>>> own_nodes(const Recipe& recipe,
                                                            const Inventory& inventory) {
  const Recipe nodes = only_nodes(recipe);
  HAMI_TRY(const auto none, render(nodes, inventory, {}, {}, {}));
  const auto& common = none.edits.devices;
  std::vector<std::vector<oci::DeviceEdit>> out;
  for (std::uint32_t i = 0; i < inventory.devices.size(); ++i) {
    Slice whole;
    whole.device_index = i;
    whole.whole = true;
    HAMI_TRY(auto one, render(nodes, inventory, {whole}, {}, {}));
    std::erase_if(one.edits.devices, [&](const oci::DeviceEdit& node) {
      return std::find(common.begin(), common.end(), node) != common.end();
    });
    out.push_back(std::move(one.edits.devices));
  }
  return out;
}

}  // namespace hami::vendors
