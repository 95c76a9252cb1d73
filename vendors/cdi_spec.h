// Specifications of the Container Device Interface: made from recipes, and read strictly.
// Source: the CDI specification, versions 0.3.0 to 1.0.0.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/edits.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"
#include "vendors/render.h"

namespace hami::vendors {

struct CdiNode {
  std::string path;       // in the container
  std::string host_path;  // empty: the same
  std::string permissions;
  std::string type{};       // "b", "c", "u"; empty: the host's
  std::uint32_t major = 0;  // 0: the host's
  std::uint32_t minor = 0;
  std::optional<std::uint32_t> file_mode{};
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  friend bool operator==(const CdiNode&, const CdiNode&) = default;
};

struct CdiHook {
  std::string name;  // "createContainer"
  std::string path;
  std::vector<std::string> args;
  friend bool operator==(const CdiHook&, const CdiHook&) = default;
};

struct CdiEdits {
  std::vector<std::string> env;
  std::vector<CdiNode> nodes;
  std::vector<oci::Mount> mounts;
  std::vector<CdiHook> hooks;
  std::vector<std::uint32_t> gids;
  std::string unsupported;  // a field that is understood, but that only an engine can give
  [[nodiscard]] bool empty() const;
  friend bool operator==(const CdiEdits&, const CdiEdits&) = default;
};

struct CdiDevice {
  std::string name;
  CdiEdits edits;
  friend bool operator==(const CdiDevice&, const CdiDevice&) = default;
};

struct CdiSpec {
  std::string version;
  std::string kind;  // "nvidia.com/gpu"
  std::vector<CdiDevice> devices;
  CdiEdits edits;  // of every device, once
  friend bool operator==(const CdiSpec&, const CdiSpec&) = default;
};

// Strict, as the specification asks: an unknown field makes the file invalid. Fails with invalid_config at
// file, line and column. Reads JSON as the YAML it is.
[[nodiscard]] Result<CdiSpec> parse_cdi_spec(std::string_view text, std::string_view file_name);

// What is wrong with a specification on this node: nodes and files that are missing, hooks that others than
// root could change. Empty: nothing.
[[nodiscard]] std::vector<std::string> cdi_problems(const CdiSpec& spec);

// One program of ours that a specification names, and the file with what it does there.
struct CdiHookPaths {
  std::string program;  // hami-hook
  std::string plan;
};

struct CdiFormat {
  std::string version;  // "0.6.0"; empty: the lowest that can say everything
  std::string kind;     // "hami.io/gpu"; empty: the recipe's own
};

struct CdiExport {
  std::string json;
  HookPlan plan;                             // empty: no hook is in the specification
  std::string version;                       // that it is written in
  std::vector<std::uint32_t> left_out_gids;  // which that version cannot say
};

// Whole devices of the inventory, by index and by uuid, and "all". Slices belong to one container and are
// not exported. Group ids are left out of a version that has none; fails with invalid_request for a version
// that is unknown, or that cannot name the devices.
[[nodiscard]] Result<CdiExport> export_cdi(const Recipe& recipe, const Inventory& inventory,
                                           const CdiHookPaths& hook, const CdiFormat& format = {});

// The versions that specifications are read and written in, the lowest first.
[[nodiscard]] std::span<const std::string_view> cdi_versions();

}  // namespace hami::vendors
