// Which devices are on this node.
#pragma once

#include <string>

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

// Fails with not_found when the vendor's driver or devices are not on this node (the message says what was
// looked for), with io when a vendor library crashed or did not answer in time.
[[nodiscard]] Result<Inventory> discover(const Recipe& recipe, const HostRoots& roots);

}  // namespace hami::vendors
