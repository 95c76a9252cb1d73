// Is anything of a container still there? Facts from /proc and from the low-level runtime's own state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime-shim/state/ledger.h"

namespace hami::state {

// Start time of a process in clock ticks since boot (field 22 of /proc/<pid>/stat); nullopt when there is no
// such process, or only its zombie.
[[nodiscard]] std::optional<std::uint64_t> start_time(int pid, const std::string& proc_dir = "/proc");

// Seconds since boot, also those the machine slept. Source: clock_gettime(2), CLOCK_BOOTTIME.
[[nodiscard]] std::uint64_t uptime();

// Identity of this boot; empty when the kernel does not say.
[[nodiscard]] std::string boot_id(const std::string& proc_dir = "/proc");

// What runc (`state.json`) or crun (`status`) wrote about the first process of a container.
struct InitProcess {
  int pid = 0;
  std::uint64_t start = 0;
  std::string cgroup;  // a directory with cgroup.procs; empty when unknown
};

// Fails with not_found when the container's directory or its state file is not there, with io when the file
// is there but cannot be understood. Source: runc libcontainer state.json; crun libcrun/status.c.
[[nodiscard]] Result<InitProcess> read_init_process(const std::string& engine_root,
                                                    const std::string& container_id);

// True when the cgroup or one below it has a process; false when it is gone.
[[nodiscard]] bool has_processes(const std::string& cgroup_dir);

}  // namespace hami::state
