// One run of the host's ldconfig inside a container's root.
#pragma once

#include <string>

#include "hook/root.h"
#include "oci-config/base/result.h"

namespace hami::hook {

// A sealed copy of the program in memory: nobody, the image included, can change what runs.
[[nodiscard]] Result<UniqueFd> sealed_copy(int program, const std::string& name);

// Runs `program` (a sealed copy of ldconfig) over `root` with `configuration` and returns the cache it made.
// The process has the root file system as its only world, /proc, /sys and /dev covered, no capabilities, an
// empty environment, a system call filter and resource limits. It may create library links in the root, as
// ldconfig does; it writes the cache to memory of ours. Fails with io and ldconfig's last line.
[[nodiscard]] Result<std::string> run_ldconfig(const Root& root, int program,
                                               const std::string& configuration);

}  // namespace hami::hook
