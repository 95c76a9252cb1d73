// How long work takes on a simulated card.
//
// A card has room for so many blocks at once; kernels of one process run side by side as far as they fit.
// Processes take turns: with n of them busy, each gets an n-th. Busy time is recorded per process and sample
// period, which is what NVML's utilisation shows.
#pragma once

#include <cstdint>

#include "tests/simdriver/cuda/context.h"

namespace hami::sim {

struct Work {
  std::uint64_t duration_ns;  // alone on an idle card
  double room;                // part of the card it fills, up to 1
};

// Puts work on the card, not before `earliest_ns`. Returns when it is done.
std::uint64_t schedule(const Context& context, Work work, std::uint64_t earliest_ns);

// Waits until the simulated clock reaches `time_ns`. With a virtual clock waiting makes the time pass.
void wait_until(std::uint64_t time_ns);

std::uint64_t now();

}  // namespace hami::sim
