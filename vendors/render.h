// Recipe + chosen devices → ContainerEdits, and what is left for the createContainer hook.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/edits.h"
#include "vendors/hook_plan.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// What of one device a container gets.
struct Slice {
  std::uint32_t device_index{};  // index in Inventory::devices
  Bytes memory;                  // 0: the whole device's memory
  Percent cores;                 // 0: no compute limit
  bool whole = false;            // the container has the device for itself
  friend bool operator==(const Slice&, const Slice&) = default;
};

// Facts about the container that a recipe may ask for. Nothing the container controls is used in host paths.
struct ContainerFacts {
  std::string key;     // our own name of the container: the directory below /run/hami/containers
  std::string rootfs;  // absolute host path, for read-only questions about the image
  bool privileged = false;
  bool debian_layout = true;               // libraries belong in /usr/lib/<triplet>, else in /usr/lib64
  std::map<std::string, std::string> env;  // the container's variables, for gates only
};

struct Rendered {
  oci::ContainerEdits edits;
  HookPlan plan;
  std::vector<std::string> skipped;  // optional things this node lacks, for logs and `explain`
};

// `slices` empty means "driver files without devices" (NVIDIA_VISIBLE_DEVICES=none).
// `capabilities`: what the container asked for, already checked against the recipe; empty: the recipe's
// default. Deterministic. Reads host files below the recipe's roots (to find libraries and check nodes),
// changes nothing. Fails with not_found when something required is missing, naming it and the root it was
// looked for in.
[[nodiscard]] Result<Rendered> render(const Recipe& recipe, const Inventory& inventory,
                                      const std::vector<Slice>& slices,
                                      const std::vector<std::string>& capabilities,
                                      const ContainerFacts& facts);

}  // namespace hami::vendors
