// What containers on one card tell each other: that they have work on it, when they want it quiet, and that
// they wait for its memory.
//
// Each container writes one file of its own, mounted read-write at kBoardPath. The host links that file into
// one directory per card (/run/hami/cards/<uuid>/), which every container on the card has read-only at
// card_dir_path(). Priority and core limit of a neighbour are in the name of its file, which only the host
// gives.
//
// A reader copies a neighbour's words with pread and believes them within bounds: the writer may be hostile,
// may cut its file off, and may be gone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "libvgpu/abi/slice.h"

namespace hami::abi {

inline constexpr std::uint64_t kBoardMagic = 0x315244424d484148ULL;  // "HAHMBDR1"
inline constexpr const char* kBoardPath = "/usr/local/vgpu/board";
inline constexpr const char* kCardsPath = "/usr/local/vgpu/cards";  // <kCardsPath>/<index of the device>

// One device of the container. Nanoseconds of CLOCK_MONOTONIC, which all containers of a node share.
struct BoardDevice {
  std::atomic<std::uint64_t> busy_until;   // what was launched should have ended by then; 0: nothing ever
  std::atomic<std::uint64_t> quiet_from;   // since then others are asked to launch nothing ...
  std::atomic<std::uint64_t> quiet_until;  // ... until then; 0: they are not
  std::atomic<std::uint64_t> reserved[5];
};

// A request that waits for memory of a card that is full. Whoever waits says so again and again: one that was
// killed leaves a place that ends by itself.
struct BoardWaiter {
  std::atomic<std::uint64_t> since;   // the place in the line: who came first goes first; 0: a free place
  std::atomic<std::uint64_t> until;   // the place is held until then
  std::atomic<std::uint64_t> device;  // of the container
  std::uint64_t reserved;
};
inline constexpr std::uint32_t kBoardWaiters = 32;

struct Board {
  std::uint64_t magic;
  std::uint64_t reserved[7];
  BoardDevice devices[kMaxDevices];
  BoardWaiter waiters[kBoardWaiters];
};
static_assert(sizeof(BoardDevice) == 64 && sizeof(BoardWaiter) == 32);
static_assert(sizeof(Board) == 64 + kMaxDevices * 64 + kBoardWaiters * 32);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// What the name of a board in a card's directory says: "<priority>-<percent>-<device>-<id>". The id is 16
// hexadecimal digits that tell nothing about the container.
struct BoardName {
  std::int32_t priority = 1;  // 0 is high
  std::uint32_t percent = 0;  // core limit; 0: none
  std::uint32_t device = 0;   // which of the board's devices is this card
  std::uint64_t id = 0;
};

inline constexpr std::size_t kBoardNameSize = 48;  // with the NUL

// Writes the name into `out`.
inline void format_board_name(const BoardName& name, char (&out)[kBoardNameSize]) noexcept {
  std::size_t length = 0;
  const auto put_number = [&](std::uint32_t value) {
    char digits[10];
    int count = 0;
    do {
      digits[count++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (count > 0) out[length++] = digits[--count];
    out[length++] = '-';
  };
  put_number(name.priority < 0 ? 0U : static_cast<std::uint32_t>(name.priority));
  put_number(name.percent);
  put_number(name.device);
  for (int shift = 60; shift >= 0; shift -= 4) {
    out[length++] = "0123456789abcdef"[(name.id >> static_cast<unsigned>(shift)) & 15U];
  }
  out[length] = '\0';
}

// Reads a name; false for any other file.
inline bool parse_board_name(const char* text, BoardName& name) noexcept {
  const auto take_number = [&](std::uint32_t most, std::uint32_t& value) {
    std::uint64_t sum = 0;
    const char* const begin = text;
    for (; *text >= '0' && *text <= '9' && text - begin < 10; ++text) {
      sum = sum * 10 + static_cast<unsigned>(*text - '0');
    }
    if (text == begin || *text != '-' || sum > most) return false;
    ++text;
    value = static_cast<std::uint32_t>(sum);
    return true;
  };
  std::uint32_t priority = 0;
  if (!take_number(INT32_MAX, priority) || !take_number(100, name.percent) ||
      !take_number(kMaxDevices - 1, name.device))
    return false;
  name.priority = static_cast<std::int32_t>(priority);
  name.id = 0;
  for (int i = 0; i < 16; ++i, ++text) {
    const bool is_digit = *text >= '0' && *text <= '9';
    if (!is_digit && (*text < 'a' || *text > 'f')) return false;
    name.id = name.id << 4U | static_cast<unsigned>(is_digit ? *text - '0' : *text - 'a' + 10);
  }
  return *text == '\0';
}

}  // namespace hami::abi
