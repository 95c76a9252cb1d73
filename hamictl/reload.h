// Makes an engine take up its configuration.
#pragma once

#include <string>

#include "hamictl/configure.h"
#include "oci-config/base/result.h"

namespace hami::hamictl {

// With request.reload, tells the engine to read its file again: docker by SIGHUP, the others by systemctl
// where systemd runs. Returns what the user has still to do; "" when nothing is left.
[[nodiscard]] Result<std::string> make_engine_notice(const ConfigureRequest& request);

}  // namespace hami::hamictl
