// Stream-ordered memory: pools that keep what was freed.
#pragma once

#include "tests/simdriver/cuda/heap.h"

namespace hami::sim {

// Gives an allocation that forget() took out back to its pool, or to the graph memory of its device.
void free_from_pool(const Allocation& allocation);

}  // namespace hami::sim
