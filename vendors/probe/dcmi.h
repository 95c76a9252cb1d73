// Libraries with the interface of Huawei's device control and management (libdcmi.so).
#pragma once

#include <string>

#include "oci-config/base/result.h"

namespace hami::probe {

// Loads the library at this absolute path and describes its devices as probe_answer.h says: the number is the
// physical id, which the device node has.
[[nodiscard]] Result<std::string> ask_dcmi(const std::string& path);

}  // namespace hami::probe
