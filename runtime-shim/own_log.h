// The node's own log of hami-runtime, [runtime] log in config.toml: for the administrator, whatever the
// engine does with what it is told.
#pragma once

#include <string>
#include <string_view>

namespace hami::shim {

// Appends one JSON line. An empty path is no log; a log that cannot be written is nobody's failure.
void append_log(const std::string& path, std::string_view level, std::string_view message);

}  // namespace hami::shim
