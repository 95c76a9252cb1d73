// Which devices are on this node.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// Where the node's files are. "/" each on a real host; tests point them at a directory of their own.
struct HostRoots {
  std::string driver;     // empty: the recipe's candidates
  std::string dev = "/";  // nodes are at <dev>/dev/…
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string state_dir = "/run/hami";  // cache of what a vendor library told
  std::string probe_program =
      "/usr/libexec/hami/hami-probe";  // asks vendor libraries, in a process of its own
};

// Where the recipe looks for its driver there is one, as far as `detect` tells; true without `detect`.
[[nodiscard]] bool is_here(const Recipe& recipe, const HostRoots& roots);

// Names of the recipes that do not count on this node: of a recipe and the one that it stands in for
// (metadata: insteadOf) only one does, the former where it is here. Complete recipes only.
[[nodiscard]] std::set<std::string> left_out(const std::vector<Recipe>& recipes, const HostRoots& roots);

// Fails with not_found when the vendor's driver or devices are not on this node (the message says what was
// looked for), with io when a vendor library crashed or did not answer in time.
[[nodiscard]] Result<Inventory> discover(const Recipe& recipe, const HostRoots& roots);

}  // namespace hami::vendors
