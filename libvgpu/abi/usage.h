// The usage page: one per container, shared read-write by its processes and read by the host. Created, sized
// and initialised by hami-runtime before the container starts; mounted at /usr/local/vgpu/usage. Nobody
// touches a part of it that was not allocated first (fallocate: no SIGBUS on a full disk): kFirstBytes by the
// runtime, the slots behind them by the first process that needs one. Host side:
// /run/hami/containers/<key>/usage.
//
// Every process of the container can write it; limits are therefore not in here but in the slice file.
//
// How bytes are counted, so that a process may be killed at any instruction:
//   * `committed` of a device changes only by compare-and-swap below the limit, or by giving back.
//   * A process records what it holds in words of its own slot. Around every change of `committed` the word
//     carries a busy mark; a dead slot without marks says exactly what the process held, one with marks makes
//     the repairer count again (usage_repair.h).
//   * A mark is a plain store: the change of `committed` behind it publishes it. Whoever finds the gate up
//     after its change counts itself in `stragglers` before it takes the mark away.
//   * A process owns slot i while it holds the POSIX record lock on byte i of the page's file. The kernel
//     drops it at any kind of death; F_GETLK from outside gives the owner's pid as the asking process sees
//     it. A program that closes descriptors which are not its own drops that lock while it lives: then the
//     lock of byte `life` counts, which belongs to an open file that only a mapping keeps.
//   * Memory that processes pass to one another lives until the last of them lets go, whoever asked the
//     driver for it. While the one that did lives, its slot has the bytes; then the piece has them itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libvgpu/abi/slice.h"

namespace hami::abi {

inline constexpr std::uint64_t kUsageMagic = 0x3245474153554d48ULL;  // "HMUSAGE2"
inline constexpr std::uint32_t kUsageVersion = 6;
inline constexpr std::uint32_t kMaxSlots = 2048;  // processes per container with their own record
inline constexpr std::uint32_t kFirstSlots = 64;  // of them have memory from the start, see back_slots()
inline constexpr std::uint32_t kStripes = 4;      // threads of a process spread over this many words
inline constexpr std::uint32_t kMaxJoint = 512;   // pieces of memory passed between processes
inline constexpr std::uint32_t kNoPayer = kMaxSlots;
inline constexpr std::uint64_t kGateByte = kMaxSlots;         // lock byte of whoever raises `gate`
inline constexpr std::uint64_t kStartByte = kMaxSlots + 1;    // lock byte of a process that starts
inline constexpr std::uint64_t kContextByte = kMaxSlots + 2;  // lock byte of a process that makes a context
inline constexpr std::uint64_t kLifeBytes = 1U << 16U;        // `life` lies from here on

// Card time that the container's processes took on one device, for its core limit. Nanoseconds of
// CLOCK_MONOTONIC and of card time; zeroed memory is a container that took nothing.
struct CoreBudget {
  std::atomic<std::uint64_t> paid_until;  // when the time taken so far is earned at the limit's rate
  std::atomic<std::uint64_t> taken;       // card time taken ever, as estimated and corrected
  std::atomic<std::uint64_t> busy_until;  // when the launches that took it should have ended
  std::atomic<std::uint64_t>
      measured;  // end of the latest measured launch, in units of 1024 ns; low bits: whose
  std::atomic<std::uint32_t> share;       // the rate `paid_until` was made with, in thousandths; 0: none yet
  std::atomic<std::uint32_t> correction;  // true time of an estimated one, in 65536ths; 0: not known, 1 : 1
};

// Bytes admitted on one device, by all processes together. `committed` is the one word that admission
// changes.
struct alignas(64) UsageDevice {
  char uuid[64];
  std::atomic<std::uint64_t> committed;  // bytes
  std::atomic<std::uint64_t> peak;       // highest `committed` that was admitted
  std::atomic<std::uint64_t> refused;    // requests refused because of the limit
  CoreBudget core;
};

enum SlotFlags : std::uint32_t {
  kSlotEnforced = 1U << 0U,  // limits are active in this process
  kSlotCopy = 1U << 1U,      // of a second copy of the library in a process that has a slot
};

// One process. Slots never move.
struct alignas(64) UsageSlot {
  std::atomic<std::uint64_t> owner;       // pid in the container's namespace << 32 | generation; 0: free
  std::atomic<std::uint64_t> start_time;  // field 22 of /proc/self/stat, clock ticks since boot
  std::atomic<std::uint32_t> host_pid;    // filled from outside; 0: unknown
  std::atomic<std::uint32_t> flags;       // SlotFlags
  std::atomic<std::uint64_t> devices;     // bit i: the process has used the container's device i
  std::atomic<std::uint64_t> life;        // byte whose lock lives as long as the process; 0: none
  std::uint64_t reserved[3];
  std::atomic<std::uint64_t> held[kStripes][kMaxDevices];  // see held_bytes(), held_marks()
};

// Memory that processes passed to one another. All of it changes only with the lock of kGateByte held.
struct alignas(64) JointPiece {
  std::atomic<std::uint64_t> key;     // what the processes know it by; 0: free
  std::atomic<std::uint64_t> bytes;   // what it takes from the card
  std::atomic<std::uint32_t> device;  // the container's index
  std::atomic<std::uint32_t> payer;   // the slot that has the bytes; kNoPayer: none, they count for the piece
  std::atomic<std::uint32_t> is_carried;  // 1: file descriptors carry it, see Carrier
  std::uint32_t reserved;
  std::atomic<std::uint64_t> holders[kMaxSlots / 64];  // a bit for each slot
};

// The file that such descriptors are open on: every one that carries a piece has a lock on the byte of the
// piece's key, which lives as long as the descriptor, wherever it was sent.
struct Carrier {
  std::atomic<std::uint64_t> device;
  std::atomic<std::uint64_t> inode;
  char path[112];
};

struct alignas(64) UsagePage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;
  std::uint32_t device_count;
  std::uint32_t slot_count;
  std::atomic<std::uint32_t> gate;        // non-zero: a repairer counts, admission waits
  std::atomic<std::uint32_t> high_water;  // no slot at or above this index was ever taken
  std::atomic<std::uint32_t> repairs;     // dead slots emptied so far
  std::atomic<std::uint32_t> stragglers;  // changes that ended while the gate was up
  std::atomic<std::uint64_t> swept_at;    // CLOCK_MONOTONIC milliseconds of the last look for dead slots
  std::uint64_t reserved[1];
  UsageDevice devices[kMaxDevices];
  // What a context takes from each device, + 1; 0: not known yet. The first process that can measure it
  // writes it, and the runtime may before the container starts.
  std::atomic<std::uint64_t> context_bytes[kMaxDevices];
  std::atomic<std::uint32_t> joint_high;  // no piece at or above this index is in use
  Carrier carrier;
  JointPiece joint[kMaxJoint];
  UsageSlot
      slots[kMaxSlots];  // last: most containers have few processes, and the file is a hole from there on
};

// The part of a page that has memory before the container starts: a write to it cannot meet a full disk.
inline constexpr std::size_t kFirstBytes = offsetof(UsagePage, slots) + kFirstSlots * sizeof(UsageSlot);

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(CoreBudget) == 40);
static_assert(sizeof(UsageDevice) == 128 && sizeof(UsageSlot) == 64 + kStripes * kMaxDevices * 8);
static_assert(offsetof(UsagePage, gate) == 24 && offsetof(UsagePage, devices) == 64);
static_assert(offsetof(UsagePage, slots) + sizeof(UsageSlot) * kMaxSlots == sizeof(UsagePage));

// A `held` word: signed bytes in the low 48 bits (a thread may give back on another stripe than it took from,
// so one stripe may be negative), busy marks above.
inline constexpr std::uint64_t kHeldMark = std::uint64_t{1} << 48U;
inline constexpr std::uint64_t kHeldMax =
    (std::uint64_t{1} << 46U) - 1;  // 64 TiB, the largest single request

// Bytes of a held word.
inline std::int64_t held_bytes(std::uint64_t word) noexcept {
  return static_cast<std::int64_t>(word << 16U) >> 16;
}

// Changes of `committed` that were begun and not ended.
inline std::uint64_t held_marks(std::uint64_t word) noexcept { return (word + (kHeldMark >> 1U)) >> 48U; }

// Bytes that the process of `slot` holds on one device. Exact when the process is quiet.
inline std::uint64_t slot_bytes(const UsageSlot& slot, std::uint32_t device) noexcept {
  std::int64_t sum = 0;
  for (const auto& stripe : slot.held) sum += held_bytes(stripe[device].load(std::memory_order_acquire));
  return sum > 0 ? static_cast<std::uint64_t>(sum) : 0;
}

// The pid of a slot's owner in the container's namespace; 0 for a free slot.
inline std::uint32_t slot_pid(const UsageSlot& slot) noexcept {
  return static_cast<std::uint32_t>(slot.owner.load(std::memory_order_acquire) >> 32U);
}

// Prepares a zeroed page, of which kFirstBytes are touched at most, for the devices of `slice`.
inline void init_usage_page(void* memory, const SliceFile& slice) noexcept {
  auto* page = static_cast<UsagePage*>(memory);
  page->version = kUsageVersion;
  page->size = sizeof(UsagePage);
  page->device_count = slice.device_count;
  page->slot_count = kMaxSlots;
  for (std::uint32_t i = 0; i < slice.device_count; ++i) {
    std::memcpy(page->devices[i].uuid, slice.devices[i].uuid, sizeof page->devices[i].uuid);
  }
  __atomic_store_n(&page->magic, kUsageMagic, __ATOMIC_RELEASE);
}

// What a reader checks before it uses a mapped page of at least sizeof(UsagePage) bytes.
inline bool is_usage_page(const UsagePage& page) noexcept {
  return page.magic == kUsageMagic && page.version == kUsageVersion && page.size == sizeof(UsagePage) &&
         page.slot_count == kMaxSlots && page.device_count <= kMaxDevices;
}

}  // namespace hami::abi
