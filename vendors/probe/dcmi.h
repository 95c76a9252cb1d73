// Libraries with the interface of Huawei's device control and management (libdcmi.so).
#pragma once

#include <cstdint>
#include <string>

#include "oci-config/base/result.h"

namespace hami::probe {

// Loads the library at this absolute path and describes its devices as probe_answer.h says: the number is the
// physical id, which the device node has.
[[nodiscard]] Result<std::string> ask_dcmi(const std::string& path);

// Makes a vNPU of this template and number on the device with this physical id.
[[nodiscard]] Result<> create_vnpu(const std::string& path, std::uint32_t physical, const std::string& size,
                                   std::uint32_t number);

[[nodiscard]] Result<> destroy_vnpu(const std::string& path, std::uint32_t physical, std::uint32_t number);

}  // namespace hami::probe
