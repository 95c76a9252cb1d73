// Gives back what dead processes hold on a usage page. Runs inside the container (libvgpu, when it registers,
// is refused or reports) and on the host. Whoever holds the lock of kGateByte is the one repairer; it may be
// killed at any instruction, the next one finishes.
//
// The caller passes a descriptor of the page's file, opened read-write, and must know that POSIX record locks
// of a process vanish when it closes any descriptor of that file. Within one process only one thread may be
// in here.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "libvgpu/abi/byte_lock.h"
#include "libvgpu/abi/usage.h"
#include "libvgpu/abi/usage_joint.h"

namespace hami::abi {

namespace repair_detail {

// True when a thread was, or is, inside a change of `committed`.
inline bool has_marks(const UsageSlot& slot) noexcept {
  for (const auto& stripe : slot.held) {
    for (const auto& word : stripe) {
      if (held_marks(word.load(std::memory_order_seq_cst)) != 0) return true;
    }
  }
  return false;
}

// Empties the slot of a dead process. The first word goes last: its mark tells that the slot was half
// emptied.
inline void clear(UsagePage& page, UsageSlot& slot) noexcept {
  for (std::uint32_t i = kStripes * kMaxDevices; i-- > 0;) {
    slot.held[i / kMaxDevices][i % kMaxDevices].store(0, std::memory_order_seq_cst);
  }
  slot.host_pid.store(0, std::memory_order_relaxed);
  slot.devices.store(0, std::memory_order_relaxed);
  slot.flags.store(0, std::memory_order_relaxed);
  slot.life.store(0, std::memory_order_relaxed);
  slot.owner.store(0, std::memory_order_release);
  page.repairs.fetch_add(1, std::memory_order_relaxed);
}

// The process of a slot is gone: it holds no piece and pays for none. visit(piece, was_payer) tells of those
// that nobody pays for any more.
template <typename Visit>
void leave_joint(UsagePage& page, std::uint32_t index, Visit visit) noexcept {
  each_joint(page, [&](JointPiece& piece) {
    const bool was_payer = piece.payer.load(std::memory_order_relaxed) == index;
    set_holder(piece, index, false);
    if (was_payer) piece.payer.store(kNoPayer, std::memory_order_relaxed);
    if (piece.payer.load(std::memory_order_relaxed) >= kNoPayer) visit(piece, was_payer);
  });
}

// Gives back exactly what a dead slot without marks holds, but for what others hold with it.
inline void give_back(UsagePage& page, std::uint32_t index) noexcept {
  UsageSlot& slot = page.slots[index];
  slot.held[0][0].fetch_add(kHeldMark, std::memory_order_seq_cst);
  std::uint64_t gone[kMaxDevices];
  for (std::uint32_t device = 0; device < kMaxDevices; ++device) gone[device] = slot_bytes(slot, device);
  leave_joint(page, index, [&](JointPiece& piece, bool was_payer) {
    const std::uint64_t bytes = piece.bytes.load(std::memory_order_relaxed);
    const bool lives = has_holder(piece) || piece.is_carried.load(std::memory_order_relaxed) != 0;
    std::uint64_t& of_device = gone[joint_device(piece)];
    if (was_payer && lives && bytes <= of_device) {
      of_device -= bytes;
    } else if (was_payer || !lives) {
      if (!was_payer) of_device += bytes;
      free_piece(page, piece);
    }
  });
  for (std::uint32_t device = 0; device < kMaxDevices; ++device) {
    if (gone[device] != 0) page.devices[device].committed.fetch_sub(gone[device], std::memory_order_seq_cst);
  }
  clear(page, slot);
}

// Gives back what only descriptors kept, where those are closed. A repairer that dies in between leaves the
// gate up, and the next one counts.
inline void drop_uncarried(UsagePage& page) noexcept {
  each_joint(page, [&](JointPiece& piece) {
    if (piece.payer.load(std::memory_order_relaxed) < kNoPayer || has_holder(piece) ||
        is_carried(page, piece))
      return;
    page.gate.store(1, std::memory_order_seq_cst);
    free_piece(page, piece);
    page.devices[joint_device(piece)].committed.fetch_sub(piece.bytes.load(std::memory_order_relaxed),
                                                          std::memory_order_seq_cst);
    page.gate.store(0, std::memory_order_seq_cst);
  });
  lower_joint_high(page);  // whoever freed one may have died before
}

// A process does not conflict with its own locks, so it must not ask about its own slot, `self`.
inline bool is_alive(const UsagePage& page, int fd, std::uint32_t index, std::uint32_t self) noexcept {
  if (index == self || byte_lock_owner(fd, index) != 0) return true;
  const std::uint64_t life = page.slots[index].life.load(std::memory_order_acquire);
  return life != 0 && byte_lock_owner(fd, life) != 0;
}

inline std::uint32_t slots_in_use(const UsagePage& page) noexcept {
  const std::uint32_t high = page.high_water.load(std::memory_order_acquire);
  return high < kMaxSlots ? high : kMaxSlots;
}

// Waits until no live process is inside a change of `committed`; they all see the gate. False after 50 ms:
// one of them is stopped.
inline bool wait_until_quiet(const UsagePage& page, int fd, std::uint32_t self) noexcept {
  int rounds = 0;
  for (std::uint32_t index = 0; index < slots_in_use(page); ++index) {
    const UsageSlot& slot = page.slots[index];
    while (slot.owner.load(std::memory_order_acquire) != 0 && has_marks(slot) &&
           is_alive(page, fd, index, self)) {
      if (++rounds > 500) return false;
      const timespec pause = {0, 100'000};
      ::nanosleep(&pause, nullptr);
    }
  }
  return true;
}

// What a count found: the bytes of live processes, and who is dead.
struct Census {
  std::uint64_t sums[kMaxDevices];
  std::uint64_t dead[kMaxSlots / 64];

  bool is_dead(std::uint32_t index) const noexcept { return (dead[index / 64] >> index % 64 & 1U) != 0; }
};

// What nobody of the living pays for, and somebody of them has. Descriptors are asked later.
inline void count_joint(const UsagePage& page, Census& census) noexcept {
  const auto lives = [&](std::uint32_t slot) {
    return slot < kMaxSlots && page.slots[slot].owner.load(std::memory_order_acquire) != 0 &&
           !census.is_dead(slot);
  };
  for (std::uint32_t i = 0; i < joint_in_use(page); ++i) {
    const JointPiece& piece = page.joint[i];
    if (piece.key.load(std::memory_order_acquire) == 0 || lives(piece.payer.load(std::memory_order_relaxed)))
      continue;
    bool is_had = piece.is_carried.load(std::memory_order_relaxed) != 0;
    for (std::uint32_t slot = 0; slot < slots_in_use(page) && !is_had; ++slot)
      is_had = is_holder(piece, slot) && lives(slot);
    if (is_had) census.sums[joint_device(piece)] += piece.bytes.load(std::memory_order_relaxed);
  }
}

inline void count(const UsagePage& page, int fd, std::uint32_t self, Census& census) noexcept {
  census = {};
  for (std::uint32_t index = 0; index < slots_in_use(page); ++index) {
    const UsageSlot& slot = page.slots[index];
    if (slot.owner.load(std::memory_order_acquire) == 0) continue;
    if (!is_alive(page, fd, index, self)) {
      census.dead[index / 64] |= std::uint64_t{1} << index % 64;
      continue;
    }
    for (std::uint32_t device = 0; device < kMaxDevices; ++device)
      census.sums[device] += slot_bytes(slot, device);
  }
  count_joint(page, census);
}

// Empties a dead slot that was not counted.
inline void empty(UsagePage& page, std::uint32_t index) noexcept {
  leave_joint(page, index, [&](JointPiece& piece, bool) {
    if (!has_holder(piece) && piece.is_carried.load(std::memory_order_relaxed) == 0) free_piece(page, piece);
  });
  clear(page, page.slots[index]);
}

enum class Recount : int {
  done,
  disturbed,  // a change came between
  stuck,      // a process is stopped inside a change
};

// Sets `committed` of every device to what the slots of live processes say.
//
// Why the slots say the same as `committed` did when it was read first: a change before that reading has
// published its mark, so we wait for its end, and a change that ended since has counted itself in
// `stragglers`. A later change is in no slot yet, and makes the exchange fail.
inline Recount try_recount(UsagePage& page, int fd, std::uint32_t self, Census& census) noexcept {
  const std::uint32_t stragglers = page.stragglers.load(std::memory_order_seq_cst);
  std::uint64_t before[kMaxDevices];
  for (std::uint32_t i = 0; i < kMaxDevices; ++i)
    before[i] = page.devices[i].committed.load(std::memory_order_seq_cst);
  if (!wait_until_quiet(page, fd, self)) return Recount::stuck;
  count(page, fd, self, census);
  if (page.stragglers.load(std::memory_order_seq_cst) != stragglers) return Recount::disturbed;
  for (std::uint32_t i = 0; i < kMaxDevices; ++i) {
    if (!page.devices[i].committed.compare_exchange_strong(before[i], census.sums[i]))
      return Recount::disturbed;
  }
  return Recount::done;
}

// The next repairer must count again too, whatever is left in the dead slots.
inline void mark_dead(UsagePage& page, int fd, std::uint32_t self) noexcept {
  for (std::uint32_t index = 0; index < slots_in_use(page); ++index) {
    UsageSlot& slot = page.slots[index];
    if (slot.owner.load(std::memory_order_acquire) != 0 && !is_alive(page, fd, index, self) &&
        !has_marks(slot))
      slot.held[0][0].fetch_add(kHeldMark, std::memory_order_seq_cst);
  }
}

// Counts `committed` of every device again from the slots of live processes, and empties the dead ones. The
// gate keeps new changes out: only what was under way when it rose can come between. The caller holds the
// gate's lock.
inline void recount(UsagePage& page, int fd, std::uint32_t self) noexcept {
  constexpr int kAttempts = 8;
  page.gate.store(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  Census census;
  Recount result = Recount::disturbed;
  for (int attempt = 0; attempt < kAttempts && result == Recount::disturbed; ++attempt)
    result = try_recount(page, fd, self, census);
  for (std::uint32_t index = 0; result == Recount::done && index < slots_in_use(page); ++index) {
    if (census.is_dead(index)) empty(page, index);
  }
  if (result != Recount::done) mark_dead(page, fd, self);
  page.gate.store(0, std::memory_order_seq_cst);
}

}  // namespace repair_detail

// Gives back the bytes of every dead process. Returns how many dead slots were found; 0 also when another
// process is repairing at this moment. self: the caller's own slot, kMaxSlots when it has none.
inline std::uint32_t repair(UsagePage& page, int fd, std::uint32_t self) noexcept {
  using namespace repair_detail;
  const int saved = errno;
  std::uint32_t dead = 0;
  if (set_byte_lock(fd, kGateByte, F_WRLCK)) {
    bool ambiguous = page.gate.load(std::memory_order_acquire) != 0;  // left up by a repairer that died
    for (std::uint32_t index = 0; index < slots_in_use(page); ++index) {
      UsageSlot& slot = page.slots[index];
      if (slot.owner.load(std::memory_order_acquire) == 0 || is_alive(page, fd, index, self)) continue;
      ++dead;
      if (has_marks(slot)) {
        ambiguous = true;
      } else {
        give_back(page, index);
      }
    }
    if (ambiguous) recount(page, fd, self);
    drop_uncarried(page);
    set_byte_lock(fd, kGateByte, F_UNLCK);
  }
  errno = saved;
  return dead;
}

}  // namespace hami::abi
