// Libraries with the interface of Cambricon's device management (libcndev.so).
#pragma once

#include <cstdint>
#include <string>

#include "oci-config/base/result.h"

namespace hami::probe {

// Makes an sMLU instance with this share of the card's compute and so many bytes; returns its number.
[[nodiscard]] Result<std::uint32_t> create_smlu(const std::string& library, std::uint32_t slot,
                                                std::uint32_t percent, std::uint64_t memory);

// Destroys the instance with this number. The profile it was made by stays until the driver is loaded anew:
// the library has no way to ask which one that was.
[[nodiscard]] Result<> destroy_smlu(const std::string& library, std::uint32_t slot, std::uint32_t number);

}  // namespace hami::probe
