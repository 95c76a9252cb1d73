// Stream-ordered memory: pools that keep what was freed.
#pragma once

#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/reservoir.h"

namespace hami::sim {

struct Pool {
  std::uint32_t device;  // kNoDevice: on the host
  CUmemLocation location;
  std::uint64_t threshold;
  std::uint64_t max_size;  // 0: none
  int reuse[4];            // attributes 1 to 3
  bool is_default;
  bool imported;
  bool destroyed;  // ends with its last allocation
  Reservoir memory;
  Pool* next;
};

// The pool of a handle; null for none, and for one that is destroyed.
Pool* find_pool(CUmemoryPool handle);
CUmemoryPool handle_of(Pool* pool);
Pool* make_pool(CUmemLocation location, std::uint64_t max_size);

// Gives an allocation that forget() took out back to its pool, or to the graph memory of its device.
void free_from_pool(const Allocation& allocation);

// Lets the pools of a device give back what is above their threshold, as happens when the host waits for the
// device.
void trim_pools(std::uint32_t device);

}  // namespace hami::sim
