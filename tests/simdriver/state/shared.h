// Allocations that other processes can open. Called with the state's Guard held.
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// Makes an allocation known to other processes and returns its token; 0 when the table is full.
std::uint64_t share(State& state, std::uint32_t owner, std::uint32_t device, std::uint64_t size);

// What a token stands for; null when its owner freed it or has died.
const Shared* find_shared(const State& state, std::uint64_t token);

// The owner frees the allocation; the process of `owner` ends.
void unshare(State& state, std::uint64_t token);
void unshare_all(State& state, std::uint32_t owner);

}  // namespace hami::sim
