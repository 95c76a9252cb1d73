// Virtual memory management, as far as others ask about it.
#pragma once

#include <cstdint>

namespace hami::sim {

// Is there a mapping at this address?
bool is_mapped(std::uint64_t address);

// The memory of `handle` lives on until let_physical_go(). False when there is none.
bool hold_physical(std::uint64_t handle);
void let_physical_go(std::uint64_t handle);

}  // namespace hami::sim
