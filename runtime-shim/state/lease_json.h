// Leases as readable JSON.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "runtime-shim/state/ledger.h"

struct json_object;

namespace hami::state {

inline constexpr std::size_t kMaxLeaseBytes = 256U << 10U;

// Indented JSON with a final newline; what parse_lease reads.
[[nodiscard]] std::string to_json(const Lease& lease);

// Fails with io, saying which member is wrong. Numbers must be plain and in range, keys safe for file names.
[[nodiscard]] Result<Lease> parse_lease(std::string_view text);

// The same for one part of it, as a member of another object.
[[nodiscard]] json_object* holding_object(const Holding& holding);
[[nodiscard]] Result<Holding> parse_holding(json_object* object);

}  // namespace hami::state
