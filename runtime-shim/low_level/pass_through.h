// Everything but create, run and restore: the low-level runtime's business.
#pragma once

#include "oci-config/base/result.h"
#include "oci-config/invocation.h"

namespace hami::shim {

// Becomes the low-level runtime; with --version our own line goes after its. A configuration with an error
// must not stop a container from being killed or deleted, so only [runtime] low_level is taken from it.
// Returns only on failure.
[[nodiscard]] Error pass_through(const oci::Invocation& invocation, char* const* argv);

}  // namespace hami::shim
