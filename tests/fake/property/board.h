// What the processes of a property test and its driver tell each other: a file that all of them map.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

namespace hami::property {

inline constexpr unsigned kMaxProcesses = 64;

// A process on the board. Written by it before it arrives, read by the test while everybody waits.
struct Seat {
  std::atomic<std::uint64_t> model;    // bytes that it holds by the reference model
  std::atomic<std::uint64_t> stock;    // bytes that its pools hold, as the driver says
  std::atomic<std::uint64_t> free;     // what cuMemGetInfo said was free, when all were quiet
  std::atomic<std::uint64_t> done;     // operations so far
  std::atomic<std::uint64_t> refused;  // of them, refused with CUDA_ERROR_OUT_OF_MEMORY
  std::atomic<std::uint64_t> wrong;    // answers that the model does not allow
};

// All processes arrive; the test looks, and opens the next round.
struct Board {
  std::atomic<std::uint32_t> arrived;
  std::atomic<std::uint32_t> round;
  Seat seats[kMaxProcesses];
};

inline void rest() noexcept {
  const timespec pause = {0, 30'000};
  ::nanosleep(&pause, nullptr);
}

// Waits until the test has opened the round after `round`.
inline void arrive(Board& board, std::uint32_t round) noexcept {
  board.arrived.fetch_add(1);
  while (board.round.load() <= round) rest();
}

}  // namespace hami::property
