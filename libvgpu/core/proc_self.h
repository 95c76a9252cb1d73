// Facts about this process from /proc.
#pragma once

#include <cstdint>

namespace hami::vgpu {

// When this process started, in clock ticks since boot; 0 when /proc does not say.
std::uint64_t own_start_time() noexcept;

// Field 22 of a line of /proc/<pid>/stat. The name in field 2 may contain blanks and parentheses.
std::uint64_t parse_start_time(const char* line) noexcept;

}  // namespace hami::vgpu
