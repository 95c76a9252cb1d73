// Finding, creating and mapping the state file, and its lock.
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// The directory that looks like / to the driver whose code this is: what is left of the path of the shared
// object before /usr/lib, so that a driver below /some/root uses the state and the nodes of that root. Empty
// for the real root, and for programs and libraries elsewhere.
const char* root_prefix();

// $SIMGPU_STATE, or <prefix>/var/lib/simgpu/state.
const char* state_path();

// Creates the file with the options and devices of `parsed` (see parse_config), replacing an older one. On
// failure returns false and writes one line into `error`.
bool create_state(const char* path, const State& parsed, char* error, std::size_t error_size);

// Maps the state of this process once; later calls return the same. When the file is missing and
// $SIMGPU_CONFIG names a description, makes it first. Null when there is no state: a node without the
// driver's kernel part.
State* attach();

// The descriptor behind attach(). Never closed: closing any descriptor of the file would give up the record
// lock that says this process lives.
int state_fd();

// In a child made by fork(): forgets the mapping's owner, so that the child registers anew when it may.
void attach_after_fork();

// Holds the state's mutex. When its last owner died inside, the sums are recomputed before anyone sees them.
class Guard {
 public:
  explicit Guard(State& state);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  State& state_;
};

// Nanoseconds of the simulated clock: CLOCK_MONOTONIC, or what sim_advance_clock() added up.
std::uint64_t now_ns(const State& state);

// Inode of /proc/self/ns/<name>; 0 when it cannot be read.
std::uint64_t namespace_inode(const char* name);

}  // namespace hami::sim
