// The container's own filter of system calls.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/document.h"

namespace hami::oci {

// Lets these system calls through the filter in linux.seccomp, if there is one. A call that the profile
// answers with an error is taken out of that rule; one that it allows, limits by arguments, traps, traces or
// kills for stays as it is. Source: runtime-spec 1.2, config-linux.md, "Seccomp".
[[nodiscard]] Result<> allow_syscalls(JsonRef root, const std::vector<std::string>& syscalls);

// Of these system calls those that allow_syscalls would have to let through: the filter answers them with an
// error. None without a filter, or where it is not understood.
[[nodiscard]] std::vector<std::string> kept_out_syscalls(const Document& document,
                                                         const std::vector<std::string>& syscalls);

}  // namespace hami::oci
