// Facts about this process from /proc.
#pragma once

#include <cstdint>

namespace hami::vgpu {

// When this process started, in clock ticks since boot; 0 when /proc does not say.
std::uint64_t own_start_time() noexcept;

// This process's pid as the host and NVML know it, when it lives in the host's own pid namespace; 0
// otherwise: then only somebody outside can tell.
std::uint32_t host_pid_of_self() noexcept;

// The first word of a process's command line; false when there is no such process.
bool read_command(std::uint32_t pid, char* out, unsigned room) noexcept;

// Field 22 of a line of /proc/<pid>/stat. The name in field 2 may contain blanks and parentheses.
std::uint64_t parse_start_time(const char* line) noexcept;

}  // namespace hami::vgpu
