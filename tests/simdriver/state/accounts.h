// Who holds which bytes of which card. All functions are called with the state's Guard held.
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// Bytes of one change. `granted` is what an API handed out, `physical` what the card lost for it.
struct Amount {
  std::uint64_t physical;
  std::uint64_t granted;
};

// Takes memory for the process of `slot`; false when the card has not that much left. Dead processes are
// collected before the answer is no.
bool take(State& state, std::uint32_t slot, std::uint32_t device, Amount amount);

// Gives it back.
void give(State& state, std::uint32_t slot, std::uint32_t device, Amount amount);

// Bytes that the card lost already go to the process of `slot`: of its container's share, and its own.
void add_bytes(State& state, std::uint32_t slot, std::uint32_t device, std::uint64_t bytes);

// The same for shared memory that no process uses, but a descriptor keeps: its container has it.
void add_ownerless(State& state, const Shared& entry);
void remove_ownerless(State& state, const Shared& entry);

// A context begins (+1) or ends (-1). Its bytes are taken and given by take() and give().
void count_context(State& state, std::uint32_t slot, std::uint32_t device, int change, std::uint64_t bytes);

// Physical bytes that nobody has.
std::uint64_t free_bytes(const Device& device);

// Finds a place for this process, holds its record lock, and returns its slot; -1 when all are taken.
int register_process(State& state);

// Gives everything of the slot back and frees it.
void unregister_process(State& state, std::uint32_t slot);

// Unregisters the processes that have died. `self` is this process's own slot, -1 for none. Also learns the
// PIDs of living ones, as they are in this process's namespace, when that is the creator's.
void collect_dead(State& state, int self);

// The same, if the last time is more than a few milliseconds ago: for functions that are called often.
void collect_dead_lazily(State& state, int self);

// Sums over processes, made anew after a process died while it changed them.
void recompute(State& state);

// The PID that NVML tells of a process.
std::uint32_t shown_pid(const State& state, const Process& process);

}  // namespace hami::sim
