// The boards of the containers on this container's cards, see libvgpu/abi/board.h: ours to write, the
// neighbours' to read.
#pragma once

#include <cstdint>

#include "libvgpu/abi/board.h"
#include "libvgpu/core/lock.h"
#include "libvgpu/share/line.h"
#include "libvgpu/share/neighbours.h"

namespace hami::vgpu {

// One card's directory.
class CardBoards {
 public:
  // Reads what the neighbours in `directory` say, into `others`, when that was long enough ago; one thread
  // does. `own`: the inode of our own board, which is in the directory too. No descriptor stays open.
  void look(const char* directory, std::uint64_t now, std::uint64_t own_inode,
            share::Neighbourhood& others) noexcept;

  // Of our own board, as its name says; 0 until it was seen.
  std::uint64_t own_id() const noexcept { return own_id_.load(std::memory_order_relaxed); }

  // In the child of a fork.
  void forget() noexcept;

 private:
  void scan(const char* path, std::uint64_t now, std::uint64_t own_inode) noexcept;
  void add(int directory, const char* name, std::uint64_t own_inode) noexcept;

  SpinLock looking_;
  std::atomic<std::uint64_t> next_look_{0};
  std::uint64_t next_ask_ = 0;    // for the directory's modification time
  std::uint64_t scanned_at_ = 0;  // 0: never
  std::int64_t modified_ = -1;    // of the directory, when it was read
  bool is_settled_ = false;       // it was read once more after that
  unsigned count_ = 0;
  abi::BoardName names_[share::Neighbourhood::kMost] = {};
  std::atomic<std::uint64_t> own_id_{0};
};

// Where a container has the boards of its device `index`.
using CardPath = char[64];
void card_path(unsigned index, CardPath& path) noexcept;

// Whether a neighbour in the card's `directory` waits for its memory since before `mine`.
bool is_neighbour_before(const char* directory, std::uint64_t now, std::uint64_t own_inode,
                         const share::Place& mine) noexcept;

// Maps our own board. nullptr where the runtime gave none.
abi::Board* open_board(const char* path, std::uint64_t& inode) noexcept;

}  // namespace hami::vgpu
