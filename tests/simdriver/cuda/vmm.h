// Virtual memory management, as far as others ask about it.
#pragma once

#include <cstdint>

namespace hami::sim {

// Is there a mapping at this address?
bool is_mapped(std::uint64_t address);

}  // namespace hami::sim
