// The part of apply() that edits `mounts`.
#pragma once

#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/document.h"
#include "oci-config/view.h"

namespace hami::oci {

// Removes mounts of the container: each that has destination and source of one of `dropped`.
[[nodiscard]] Result<> remove_mounts(JsonRef root, const std::vector<Mount>& dropped);

// Puts `ours` at the end of root.mounts, a directory before what is mounted in it. Fails with invalid_request
// when a mount of the container is at or below one of ours and is not ours.
[[nodiscard]] Result<> apply_mounts(JsonRef root, const std::vector<Mount>& ours);

}  // namespace hami::oci
