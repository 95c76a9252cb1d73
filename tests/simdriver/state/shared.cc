#include "tests/simdriver/state/shared.h"

namespace hami::sim {

std::uint64_t share(State& state, std::uint32_t owner, std::uint32_t device, std::uint64_t size) {
  for (std::uint32_t i = 0; i < kMaxShared; ++i) {
    Shared& entry = state.shared[i];
    if (entry.token != 0) continue;
    entry = {state.next_token++, size, device, owner};
    if (i >= state.high_shared) state.high_shared = i + 1;
    return entry.token;
  }
  return 0;
}

const Shared* find_shared(const State& state, std::uint64_t token) {
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    if (token != 0 && state.shared[i].token == token) return &state.shared[i];
  }
  return nullptr;
}

void unshare(State& state, std::uint64_t token) {
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    if (state.shared[i].token == token) state.shared[i].token = 0;
  }
}

void unshare_all(State& state, std::uint32_t owner) {
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    if (state.shared[i].owner == owner) state.shared[i].token = 0;
  }
}

}  // namespace hami::sim
