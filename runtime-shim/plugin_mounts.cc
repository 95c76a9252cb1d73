#include "runtime-shim/plugin_mounts.h"

#include <algorithm>
#include <string_view>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::shim {

namespace {

// The plugin's library has its version behind the name on the node, and none in the container.
bool is_library(const oci::Mount& mount) {
  return files::base_name(mount.source).starts_with("libvgpu.so") &&
         files::base_name(mount.destination) == "libvgpu.so";
}

bool is_below(const oci::Mount& inner, const oci::Mount& outer) {
  return inner.destination.starts_with(text::cat({outer.destination, "/"}));
}

bool has_destination(const std::vector<oci::Mount>& mounts, const oci::Mount& mount) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const oci::Mount& other) { return other.destination == mount.destination; });
}

}  // namespace

bool is_replaced_plugin_mount(const oci::Mount& mount) {
  if (is_library(mount)) return true;
  if (mount.destination != "/etc/ld.so.preload") return false;
  return files::base_name(mount.source) == "ld.so.preload" ||
         mount.source.find("/volume-subpaths/") != std::string::npos;
}

std::vector<oci::Mount> hidden_plugin_libraries(const oci::ContainerView& container) {
  std::vector<oci::Mount> out;
  for (auto mount = container.mounts.begin(); mount != container.mounts.end(); ++mount) {
    const bool hidden =
        is_library(*mount) && std::any_of(mount + 1, container.mounts.end(),
                                          [&](const oci::Mount& later) { return is_below(*mount, later); });
    if (hidden) out.push_back(*mount);
  }
  return out;
}

void uncover_plugin_libraries(const oci::ContainerView& container, oci::ContainerEdits& edits) {
  for (oci::Mount& mount : hidden_plugin_libraries(container)) {
    if (has_destination(edits.drop_mounts, mount) || has_destination(edits.mounts, mount)) continue;
    edits.drop_mounts.push_back(mount);
    edits.mounts.push_back(std::move(mount));
  }
}

}  // namespace hami::shim
