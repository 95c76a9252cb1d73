// Mounts of HAMi's device plugin and its neighbours that ours stand in for, or that hide each other.
#pragma once

#include <vector>

#include "oci-config/edits.h"
#include "oci-config/view.h"

namespace hami::shim {

// A library or a preload file of a device plugin, wherever the plugin's HOOK_PATH is: ours take their place.
[[nodiscard]] bool is_replaced_plugin_mount(const oci::Mount& mount);

// Plugin libraries that stand before the directory in which they are: an engine that keeps the plugin's order
// mounts the directory over them.
[[nodiscard]] std::vector<oci::Mount> hidden_plugin_libraries(const oci::ContainerView& container);

// Moves what `hidden_plugin_libraries` finds behind everything else, unless it goes away in `edits` anyhow.
void uncover_plugin_libraries(const oci::ContainerView& container, oci::ContainerEdits& edits);

}  // namespace hami::shim
