// What hami-runtime does for create, run and restore.
#pragma once

#include "oci-config/base/result.h"
#include "oci-config/invocation.h"
#include "runtime-shim/config.h"

namespace hami::shim {

// Gives the bundle what it asks for, then becomes the low-level runtime; a bundle that asks for nothing is
// not touched. Returns only on failure, with everything undone: no lease, no container directory, config.json
// as it was. `argv` as main has it.
[[nodiscard]] Error create(const oci::Invocation& invocation, char* const* argv, const Config& config);

// The directory in which `low_level` keeps its containers for this invocation; absolute.
[[nodiscard]] std::string engine_root(const oci::Invocation& invocation, const std::string& low_level);

// The same error in words that engines do not take for a failure of the container's program: Docker and
// podman change their exit status when they find phrases such as strerror's in the text.
[[nodiscard]] Error in_plain_words(Error error);

}  // namespace hami::shim
