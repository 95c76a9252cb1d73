// Which devices this process may use: the kernel's part of access control.
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// Indices in State::devices of the devices whose nodes can be opened; all when the state does not check
// nodes. Returns their number.
int present_devices(const State& state, std::uint32_t (&out)[kMaxDevices]);

}  // namespace hami::sim
