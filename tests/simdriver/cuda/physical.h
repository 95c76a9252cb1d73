// Physical memory behind handles, as virtual memory management and multicast objects see it.
#pragma once

#include <cstdint>

#include "libvgpu/cuda/types.h"
#include "tests/simdriver/cuda/driver.h"

namespace hami::sim {

inline constexpr std::uint32_t kOnHost = 0xffffffffU;  // not charged

struct Binding;

// A handle and what it stands for: memory, or a multicast object, which has none of its own.
struct Physical {
  std::uint64_t handle;
  std::uint64_t size;
  CUmemAllocationProp prop;
  std::uint32_t device;      // index in State::devices, or kOnHost
  std::uint64_t token;       // in State::shared; 0: this process alone knows it
  std::uint32_t references;  // cuMemCreate, retain, import; release takes one away
  std::uint32_t maps;        // mappings, tiles and bindings that keep it alive
  std::uint32_t team;        // multicast object: how many devices belong to it; 0: memory
  std::uint32_t members;     // those that have been added, a bit each
  std::uint32_t member_count;
  Binding* bindings;
  Physical* next;
};

// Memory that a multicast object reaches on one device.
struct Binding {
  std::uint64_t offset, size;
  Physical* memory;
  Binding* next;
};

// Guards all of them, and the mappings.
extern SpinLock physical_lock;

// Under the lock. Null when there is none.
Physical* find_physical(std::uint64_t handle);
Physical* find_physical_at(std::uint64_t address);  // what is mapped there

// Ends it when neither handle nor mapping is left; under the lock.
void drop_if_unused(Physical* physical);

// Adds one like `like`, charged where it says, with a handle of its own; takes the lock.
CUresult add_physical(const Physical& like, std::uint64_t& handle);

}  // namespace hami::sim
