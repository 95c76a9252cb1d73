// Who still has a piece of memory that processes passed to one another. With the lock of kGateByte held.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "libvgpu/abi/byte_lock.h"
#include "libvgpu/abi/usage.h"

namespace hami::abi {

// Keys from here on are bytes that descriptors are locked at; below them is what handles without one give.
inline constexpr std::uint64_t kFirstJointKey = std::uint64_t{1} << 61U;

// One more word of what a key is made of.
inline std::uint64_t mixed(std::uint64_t key, std::uint64_t word) noexcept {
  key = (key ^ word) * 0x9e3779b97f4a7c15ULL;
  return key ^ key >> 29U;
}

inline std::uint32_t joint_in_use(const UsagePage& page) noexcept {
  const std::uint32_t high = page.joint_high.load(std::memory_order_acquire);
  return high < kMaxJoint ? high : kMaxJoint;
}

inline bool is_holder(const JointPiece& piece, std::uint32_t slot) noexcept {
  return (piece.holders[slot / 64].load(std::memory_order_relaxed) >> slot % 64 & 1U) != 0;
}

inline bool has_holder(const JointPiece& piece) noexcept {
  for (const auto& word : piece.holders) {
    if (word.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

inline void set_holder(JointPiece& piece, std::uint32_t slot, bool holds) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << slot % 64;
  if (holds) {
    piece.holders[slot / 64].fetch_or(bit, std::memory_order_relaxed);
  } else {
    piece.holders[slot / 64].fetch_and(~bit, std::memory_order_relaxed);
  }
}

// A bounded index: what stands in the page is anybody's word.
inline std::uint32_t joint_device(const JointPiece& piece) noexcept {
  return piece.device.load(std::memory_order_relaxed) % kMaxDevices;
}

namespace joint_detail {

// The driver's control node or a plain file: opening anything else might do something.
inline bool is_harmless(const struct stat& status) noexcept {
  constexpr std::uint64_t kControlNode = 195U << 8U | 255U;
  return S_ISREG(status.st_mode) || (S_ISCHR(status.st_mode) && status.st_rdev == kControlNode);
}

// Opens the carrier, under another open file than any that carries a piece. -1 when it is not to be had here.
inline int open_carrier(const Carrier& carrier) noexcept {
  char path[sizeof carrier.path + 1] = {};
  std::memcpy(path, carrier.path, sizeof carrier.path);
  struct stat status = {};
  if (::syscall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) != 0 || !is_harmless(status) ||
      status.st_dev != carrier.device.load(std::memory_order_relaxed) ||
      status.st_ino != carrier.inode.load(std::memory_order_relaxed)) {
    return -1;
  }
  return ::open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
}

}  // namespace joint_detail

// Is a descriptor open somewhere that carries the piece? Yes where nobody can tell.
inline bool is_carried(const UsagePage& page, const JointPiece& piece) noexcept {
  if (piece.is_carried.load(std::memory_order_relaxed) == 0) return false;
  const int fd = joint_detail::open_carrier(page.carrier);
  if (fd < 0) return true;
  const bool found = has_file_lock(fd, piece.key.load(std::memory_order_relaxed));
  ::close(fd);
  return found;
}

inline void lower_joint_high(UsagePage& page) noexcept {
  const std::uint32_t was = joint_in_use(page);
  std::uint32_t high = was;
  while (high != 0 && page.joint[high - 1].key.load(std::memory_order_relaxed) == 0) --high;
  if (high != was) page.joint_high.store(high, std::memory_order_release);
}

inline void free_piece(UsagePage& page, JointPiece& piece) noexcept {
  for (auto& word : piece.holders) {
    if (word.load(std::memory_order_relaxed) != 0) word.store(0, std::memory_order_relaxed);
  }
  piece.key.store(0, std::memory_order_seq_cst);
  lower_joint_high(page);
}

// Calls visit(piece) for each that is in use.
template <typename Visit>
void each_joint(UsagePage& page, Visit visit) noexcept {
  for (std::uint32_t i = joint_in_use(page); i-- > 0;) {
    if (page.joint[i].key.load(std::memory_order_acquire) != 0) visit(page.joint[i]);
  }
}

}  // namespace hami::abi
