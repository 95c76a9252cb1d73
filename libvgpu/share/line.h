// The line of those who wait for memory of a card that is full: first come, first served, over all processes
// and containers that see one another's boards. Pure: time and the neighbours' places come from the caller.
#pragma once

#include <cstdint>

#include "libvgpu/abi/board.h"
#include "libvgpu/share/share.h"

namespace hami::vgpu::share {

// A place is held for this long after its owner was last there: so long does a killed one hold up the others.
inline constexpr std::uint64_t kPlaceLease = kSecond;

// Nobody waits longer, whatever a slice says; an older place is a spoilt board.
inline constexpr std::uint64_t kLongestWait = 3600 * kSecond;

// How often one looks whether there is room now: the first in the line, and the others.
inline constexpr std::uint64_t kFirstLooks = 5 * kMillisecond;
inline constexpr std::uint64_t kOthersLook = 20 * kMillisecond;

// One place as its owner's board tells.
struct Place {
  std::uint64_t since = 0;
  std::uint64_t until = 0;
  std::uint64_t device = 0;  // of its container
  std::uint64_t board = 0;   // whose it is
  std::uint64_t slot = 0;
};

// Whether anybody stands there at `now`. A place in the future, or one that is held for too long, is none.
bool is_taken(const Place& place, std::uint64_t now) noexcept;

// Whether `other` is served before `mine`.
bool is_before(const Place& other, const Place& mine) noexcept;

// Reads slot `slot` of a board's waiters.
Place read_place(const abi::BoardWaiter& waiter, std::uint64_t board, std::uint64_t slot) noexcept;

// The place of one request, for as long as the object lives.
class Standing {
 public:
  // `deadline`: when it gives up. Without a free slot on the board it stands nowhere, and waits for nobody.
  Standing(abi::BoardWaiter (&waiters)[abi::kBoardWaiters], std::uint64_t board, unsigned device,
           std::uint64_t now, std::uint64_t deadline) noexcept;
  ~Standing();
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;

  // It is still there.
  void renew(std::uint64_t now) noexcept;

  // Whether someone of this container is served before it.
  bool is_behind_own(std::uint64_t now) const noexcept;

  // It has waited for so long that it tries without its turn: neighbours that only claim to wait cost time,
  // and nobody its memory.
  bool is_impatient(std::uint64_t now) const noexcept { return now >= patient_until_; }

  const Place& place() const noexcept { return place_; }

 private:
  void take(std::uint64_t now) noexcept;

  abi::BoardWaiter* waiters_;
  abi::BoardWaiter* mine_ = nullptr;
  Place place_;
  std::uint64_t patient_until_;
};

}  // namespace hami::vgpu::share
