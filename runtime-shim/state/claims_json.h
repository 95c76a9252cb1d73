// A Pod's claims as readable JSON.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "runtime-shim/state/claims.h"

namespace hami::state {

// Indented JSON with a final newline; what parse_claims reads.
[[nodiscard]] std::string to_json(const PodClaims& claims);

// Fails with io when a member is missing or of another type.
[[nodiscard]] Result<PodClaims> parse_claims(std::string_view text);

}  // namespace hami::state
