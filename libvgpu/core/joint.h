// Memory that processes of the container pass to one another: it is counted once, as long as any of them has
// it.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/core/account.h"
#include "libvgpu/core/lock.h"
#include "libvgpu/core/word_map.h"

namespace hami::vgpu {

// The key of what is passed in 64 bytes of the driver's.
std::uint64_t key_of_handle(const void* handle) noexcept;

// The same, as one that descriptors can carry too.
std::uint64_t key_of_fabric_handle(const void* handle) noexcept;

// The key that a descriptor carries; 0: none.
std::uint64_t key_of_descriptor(int fd) noexcept;

class JointMemory {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Tells the others of `bytes` that our slot has, or takes up what we told of before. One use of it is ours.
  // kNone when there is no room to tell of it.
  std::uint32_t publish(Account& account, std::uint64_t key, unsigned device, std::uint64_t bytes) noexcept;

  // One use of what somebody published; kNone: nobody did.
  std::uint32_t join(Account& account, std::uint64_t key) noexcept;

  // A use ends. With the last of all the bytes go back; with our last they are the others' as long as those
  // have it.
  void let_go(Account& account, std::uint32_t piece) noexcept;

  // The memory of something that we published lies in stock again, which our slot has.
  void retract(Account& account, std::uint32_t piece) noexcept;

  // True when others know a piece by this key.
  static bool is_known_by(const Account& account, std::uint32_t piece, std::uint64_t key) noexcept {
    return account.page()->joint[piece].key.load(std::memory_order_relaxed) == key;
  }

  // Makes a descriptor carry a piece. False: it does not.
  bool stamp(Account& account, std::uint32_t piece, int fd) noexcept;

  // What its bytes are; 0 for what is no memory of a card.
  static std::uint64_t bytes(const Account& account, std::uint32_t piece) noexcept {
    return account.page()->joint[piece].bytes.load(std::memory_order_relaxed);
  }

  // Pointers that we published: remembers and takes out; kNone: it is none.
  void note_pointer(std::uint64_t pointer, std::uint32_t piece) noexcept;
  std::uint32_t take_pointer(std::uint64_t pointer) noexcept;
  bool has_pointers() const noexcept { return pointers_left_.load(std::memory_order_relaxed) != 0; }

  // In the child of a fork, which has none of it.
  void forget() noexcept;

 private:
  void end_use(Account& account, abi::JointPiece& piece) noexcept;

  SpinLock lock_;
  std::uint32_t uses_[abi::kMaxJoint] = {};  // changed between begin_joint() and end_joint()
  WordMap pointers_;
  std::atomic<std::uint32_t> pointers_left_{0};
};

}  // namespace hami::vgpu
