// The stages before a container starts: what needs its mount namespace.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/state.h"

namespace hami::hook {

// Host path of the root file system: the state's `root` (crun), else root.path of the bundle's config.json.
[[nodiscard]] Result<std::string> rootfs_path(const oci::HookState& state);

enum class Stage {
  create_container,  // called inside the container's mount namespace
  create_runtime,    // called outside; enters the namespace of the state's process, for good
};

// Carries out the plan in the container whose state is `state_text`. `root` is the host path of its root file
// system; empty: as rootfs_path says, which needs a bundle that the container's root may read. Running it
// twice changes nothing more.
[[nodiscard]] Result<> create_container(Stage stage, const std::string& plan_path,
                                        std::string_view state_text, const std::string& root = {});

}  // namespace hami::hook
