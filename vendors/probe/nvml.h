// The part of NVIDIA's management library that discovery needs, by function pointers.
#pragma once

#include <string>

#include "oci-config/base/result.h"

namespace hami::probe {

// Every device of the library at `path` (absolute), as the JSON that vendors/probe_answer.h reads. A device
// that does not answer is left out; a value that is not supported is left out of its device.
[[nodiscard]] Result<std::string> ask_nvml(const std::string& path);

}  // namespace hami::probe
