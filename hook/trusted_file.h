// Host files the hook believes: its plan, and the host's ldconfig.
#pragma once

#include <string>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::hook {

// Opens a regular file that nobody but root can have written: owner root or our effective user, no write
// permission for group and others. Checked on the descriptor that is returned. Inside a user namespace host
// root cannot be named any more; there the file must belong to a user the namespace does not map.
[[nodiscard]] Result<UniqueFd> open_trusted(const std::string& path);

}  // namespace hami::hook
