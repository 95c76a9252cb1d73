// What a hook process gives up before it touches anything of a container.
#pragma once

#include "oci-config/base/result.h"

namespace hami::hook {

// First thing in main: no inherited descriptor but 0 to 2, working directory "/", umask 022, no environment,
// not dumpable, no core file, SIGPIPE ignored. After `seconds` the process says so on stderr and exits
// with 1. Source: runc's createContainer hooks inherit its init socket and exec.fifo, and the image's
// variables.
[[nodiscard]] Result<> isolate_process(unsigned seconds);

// What the rest of the process is going to do.
enum class Profile {
  create_container,  // mounts, links and one ldconfig in a container's root
  create_runtime,    // the same, after entering the container's mount namespace
  release,           // files of the ledger
  ldconfig,          // a foreign program on hostile files: reads, and writes what file permissions allow
};

// For good, for this process and everything it starts: capabilities down to what the profile needs (none for
// ldconfig), uid 0 gains nothing by exec, no_new_privs, resource limits, a system call allow-list. A call
// that is not on it fails with ENOSYS, which C libraries answer with an older call.
[[nodiscard]] Result<> confine(Profile profile);

}  // namespace hami::hook
