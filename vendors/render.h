// Recipe + chosen devices → ContainerEdits, and what is left for the createContainer hook.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/parts.h"
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
  std::uint32_t slot = 0;        // number of the slice on its device, unlike that of any other live slice
  Parts parts{};                 // which of the device's parts of compute are the container's
  std::optional<std::uint32_t> subdevice = std::nullopt;  // number of what the driver made for it
  std::optional<Mode> mode = std::nullopt;                // that the request chose
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

// A small file made for the container.
struct ContainerFile {
  std::string path;  // in the container
  std::string content;
  friend bool operator==(const ContainerFile&, const ContainerFile&) = default;
};

struct Rendered {
  oci::ContainerEdits edits;
  std::vector<ContainerFile> files;   // the caller writes them and binds them read-only
  std::vector<std::string> replaced;  // places in the container whose own mounts give way to ours
  std::vector<std::string>
      preload;  // libraries of the vendor that every program of the container loads first
  HookPlan plan;
  bool kernel_holds_memory = false;  // every limit of memory is in edits.unified
  std::vector<std::string> skipped;  // optional things this node lacks, for logs and `explain`
};

// The template whose memory a slice of this device has; null when there is none of that size.
[[nodiscard]] const SliceTemplate* template_of(const SliceRules& rules, const Device& device, Bytes memory);

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
