// The low-level runtime that does the work: found without trusting PATH, then this process becomes it.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::shim {

// Absolute path of the first program that exists: absolute paths as they are, names in the system's program
// directories and then in `path` (the value of PATH; may be empty: podman calls us without one). Never this
// program itself, nor a copy of it under another name. Fails with not_found, naming what was looked for.
[[nodiscard]] Result<std::string> find_low_level(const std::vector<std::string>& programs,
                                                 const std::string& path);

// Replaces this process: same environment, descriptors and arguments, argv[0] is the program's path. Returns
// only on failure. `argv` ends with a null pointer, as main's does.
[[nodiscard]] Error become(const std::string& program, char* const* argv);

}  // namespace hami::shim
