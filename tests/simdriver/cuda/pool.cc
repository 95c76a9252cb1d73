#include "tests/simdriver/cuda/pool.h"

namespace hami::sim {

void free_from_pool(const Allocation& allocation) { release(allocation); }

}  // namespace hami::sim
