// The state files of runc and crun.
#pragma once

#include <string_view>

#include "oci-config/base/result.h"
#include "runtime-shim/state/liveness.h"

namespace hami::state {

// runc's <root>/<id>/state.json. Fails with io when pid or start time are missing.
[[nodiscard]] Result<InitProcess> parse_runc_state(std::string_view text);

// crun's <root>/<id>/status.
[[nodiscard]] Result<InitProcess> parse_crun_status(std::string_view text);

}  // namespace hami::state
