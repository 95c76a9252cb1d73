// Memory that is taken from the card in steps and handed out in parts: pools, and the memory of graphs.
#pragma once

#include "tests/simdriver/cuda/context.h"

namespace hami::sim {

inline constexpr std::uint32_t kNoDevice = 0xffffffffU;  // on the host

// What is freed stays until it is trimmed.
struct Reservoir {
  SpinLock lock;
  std::uint64_t reserved, reserved_high;
  std::uint64_t used, used_high;
};

// Takes `size` bytes out, taking more from the card (device index `device`) when there is too little: `step`
// bytes, or what is missing when the card has no step left. Bytes on the host (`device` kNoDevice) are not
// charged.
CUresult draw(Reservoir& reservoir, std::uint32_t device, std::uint64_t size, std::uint64_t step,
              std::uint64_t most);
void put_back(Reservoir& reservoir, std::uint64_t size);

// Gives the card what is not used, but for `keep` bytes.
void trim(Reservoir& reservoir, std::uint32_t device, std::uint64_t keep);

}  // namespace hami::sim
