// A container prepared by its text alone, for engines that let a hook rewrite config.json before any runtime
// reads it: the "precreate" stage of podman's and buildah's hooks.d.
#pragma once

#include <sys/types.h>

#include <string>

#include "oci-config/base/result.h"
#include "oci-config/view.h"
#include "runtime-shim/config.h"

namespace hami::shim {

// The id that podman gave the container: of its cgroup, else of the file it mounts at /run/.containerenv.
// Fails with invalid_spec when neither says. Source: podman 4.3, libpod/container_internal_linux.go; observed
// with --cgroups=disabled too.
[[nodiscard]] Result<std::string> podman_container_id(const oci::ContainerView& view);

// `text` with what it asks for, or unchanged when it asks for nothing. The lease is held by the process
// `creator` until the low-level runtime knows the container; on failure nothing is held.
[[nodiscard]] Result<std::string> precreate(const std::string& text, const Config& config, pid_t creator);

// `text` with one createRuntime hook that fails with `why`: podman shows what that hook says, and nothing of
// a failing precreate hook. The container cannot start either way.
[[nodiscard]] Result<std::string> refusing(const std::string& text, const Config& config,
                                           const std::string& why);

}  // namespace hami::shim
