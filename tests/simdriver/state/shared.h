// Allocations that other processes can open: by a token in an IPC handle, or by a file descriptor that
// carries one. Called with the state's Guard held, but for the descriptors.
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// Makes `bytes` of the process of `owner` known to other processes, who map `size` of it; kNobody as device
// means memory of the host. Returns the token, 0 when the table is full.
std::uint64_t share(State& state, std::uint32_t owner, std::uint32_t device, std::uint64_t size,
                    std::uint64_t bytes);

// What a token stands for; null when it is gone.
Shared* find_shared(State& state, std::uint64_t token);

// A process uses it from now on; one call of unuse() for each.
void use(Shared& entry, std::uint32_t slot);

// A use ends. With the last of a process another one takes the bytes over, and with the last of all they go
// back to the card.
void unuse(State& state, std::uint64_t token, std::uint32_t slot);

// The owner frees it all the same: its memory is the owner's affair from then on, and the token means
// nothing.
void retract(State& state, std::uint64_t token);

// The process of `slot` ends; its share is given back already. What others use goes to one of them.
void unuse_all(State& state, std::uint32_t slot);

// Ends what only descriptors kept, as far as those are closed. True when there was any.
bool collect_shared(State& state);

// Forgets how often this process uses what: in the child of a fork.
void forget_uses();

// A descriptor that carries a token, as the driver's own do: it can be passed on, and keeps the memory alive
// while it is open anywhere. -1 when there is none to be had; 0 for a descriptor that carries nothing.
int make_descriptor(std::uint64_t token);
std::uint64_t token_of(int descriptor);

}  // namespace hami::sim
