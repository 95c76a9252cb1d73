// Who else than root reads a container's directory on the host: the hook runs in the container's user
// namespace, where root is an ordinary user of the host.
#pragma once

#include <sys/types.h>

#include <optional>

#include "oci-config/base/result.h"
#include "oci-config/view.h"

namespace hami::shim {

// The host's id of the group that is 0 in the container; nullopt when the container has no user namespace of
// its own. A namespace that is joined by path is asked for its mapping, which only /proc/PID/ns/user allows.
// Fails with invalid_spec when the mapping has no group 0, or cannot be known.
[[nodiscard]] Result<std::optional<gid_t>> reader_group(const oci::ContainerView& view);

}  // namespace hami::shim
