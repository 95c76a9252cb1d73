// Whether a file is there, asked by the one system call for it that hami-hook is left with when it releases a
// lease. access(2) fails there, which would look like a missing file.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace hami::state {

[[nodiscard]] inline bool is_there(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) == 0;
}

}  // namespace hami::state
