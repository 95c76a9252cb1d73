// The three steps of every function that takes device memory: reserve, call the driver, keep or give back.
#pragma once

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/room.h"

namespace hami::vgpu {

// What a program gets from everything that allocates while limits exist that cannot be held.
inline constexpr CUresult kUnusable = CUDA_ERROR_OPERATING_SYSTEM;

// Bytes that a request occupies: small ones a piece of a block in units of 512 bytes, others whole blocks.
constexpr std::uint64_t granule(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kSmall = 512;
  const std::uint64_t unit = bytes < kSmallBelow ? kSmall : kBlockBytes;
  if (bytes > abi::kHeldMax) return bytes;  // refused anyway, and rounding must not wrap
  return (bytes + unit - 1) / unit * unit;
}

inline std::uint64_t limit_of(unsigned device) noexcept { return g_process.limits.memory(device); }

// Admits `bytes` on a device; before it refuses, what lies unused in stock is given up.
Reservation reserve(unsigned device, std::uint64_t bytes) noexcept;

// What the program gets when nothing was reserved.
inline CUresult refusal(const Reservation& reservation) noexcept {
  return reservation.verdict() == Verdict::refused ? CUDA_ERROR_OUT_OF_MEMORY : kUnusable;
}

// The driver's object `name` lives on the reserved bytes from now on. False when there is no memory to
// remember it: the caller must undo the allocation.
bool keep(Space space, std::uint64_t name, Reservation& reservation) noexcept;

// The same for an object that ends with the context of number `owner`.
bool keep(Space space, std::uint64_t name, unsigned owner, Reservation& reservation) noexcept;

// Memory at `ptr` is in stock again, of which other processes may have been told.
void retract_told(std::uint64_t ptr) noexcept;

// An object is gone: gives back what it took.
inline void give_back(const Record& record) noexcept {
  if (record.charge != 0) g_process.account.refund(record.device, record.charge);
}

// The same for one of `space` that was called `name`, of which other processes may have been told, or which
// may be another's.
void end_told(Space space, std::uint64_t name, const Record& record) noexcept;
void end_opened(std::uint64_t ptr, const Record& record) noexcept;
inline void end_object(Space space, std::uint64_t name, const Record& record) noexcept {
  if (space == Space::imported || g_process.joint.has_pointers()) [[unlikely]] {
    end_told(space, name, record);
  } else {
    give_back(record);
  }
}

// In the child of a fork.
void forget_opened() noexcept;

// Frees or closes memory of another process through call(). False when `ptr` is no such memory.
bool free_imported(std::uint64_t ptr, CUresult (*call)(void*), void* data, CUresult& status) noexcept;
template <typename Call>
CUresult free_joint(std::uint64_t ptr, Call call) noexcept {
  CUresult status = CUDA_SUCCESS;
  const auto plain = [](void* data) { return (*static_cast<Call*>(data))(); };
  const bool is_imported = mode() == Mode::on && free_imported(ptr, plain, &call, status);
  return is_imported ? status : call();
}

// An object that was taken out of the records lives on: puts it back.
void put_back(Space space, std::uint64_t name, const Record& record) noexcept;

// Frees an object through `call`: its record decides only what is given back, the driver decides the result,
// also for objects that we have never seen.
template <typename Call>
CUresult release(Space space, std::uint64_t name, Call call) noexcept {
  if (mode() != Mode::on) return call();
  // Taken out first: once the driver has freed it, another thread may be given the same name.
  const std::optional<Record> record = g_process.records.take(space, name);
  const CUresult status = call();
  if (!record) return status;
  if (status == CUDA_SUCCESS) {
    end_object(space, name, *record);
  } else {
    put_back(space, name, *record);
  }
  return status;
}

// What an allocation's caller knows about the object that it makes.
//   call():    asks the driver for it
//   settled(): bytes that the driver took, asked after success
//   name():    what the object is called in `space`, after success
//   undo():    frees it again
template <typename Call, typename Settled, typename Name, typename Undo>
struct Making {
  Call call;
  Settled settled;
  Name name;
  Undo undo;
};
template <typename Call, typename Settled, typename Name, typename Undo>
Making(Call, Settled, Name, Undo) -> Making<Call, Settled, Name, Undo>;

// Makes an object of about `bytes` bytes on the container's device `device`, and remembers it.
template <typename... Steps>
CUresult make_on(unsigned device, Space space, std::uint64_t bytes, const Making<Steps...>& making) noexcept {
  Reservation reservation = reserve(device, bytes);
  if (!reservation) return refusal(reservation);
  const CUresult status = with_room(device, making.call);
  if (status != CUDA_SUCCESS) return status;
  if (reservation.settle(making.settled(), limit_of(device)) && keep(space, making.name(), reservation)) {
    return CUDA_SUCCESS;
  }
  making.undo();
  return CUDA_ERROR_OUT_OF_MEMORY;
}

// The same on the device of the calling thread's context, in every mode.
template <typename... Steps>
CUresult make_on_current(Space space, std::uint64_t bytes, const Making<Steps...>& making) noexcept {
  if (mode() == Mode::off) return making.call();
  if (mode() == Mode::unusable) return kUnusable;
  CUresult status = CUDA_SUCCESS;
  const int device = current_device_index(status);
  if (device >= 0) return make_on(static_cast<unsigned>(device), space, bytes, making);
  return status == CUDA_SUCCESS ? kUnusable : making.call();  // without a context the driver refuses itself
}

// Takes the memory at `address`, which occupies `bytes`, out of the reservation and remembers it as one that
// ends with the context of number `owner`. False when there is no room, or no memory to remember it: nothing
// changed then.
bool keep_linear(std::uint64_t address, std::uint64_t bytes, unsigned owner,
                 Reservation& reservation) noexcept;

// Allocates linear memory on the container's device `device`, in the context of number `owner`; see
// allocate_settled().
template <typename Pointer, typename Call, typename Settled>
CUresult allocate_on(unsigned device, unsigned owner, Pointer* out, std::uint64_t bytes, Call call,
                     Settled settled) noexcept {
  // A small piece may need a block of its own: which it gets is known afterwards.
  Reservation reservation = reserve(device, bytes != 0 && bytes < kSmallBelow ? kBlockBytes : bytes);
  if (!reservation) return refusal(reservation);
  const CUresult status = with_room(device, call);
  if (status != CUDA_SUCCESS) return status;
  if (keep_linear(*out, settled(), owner, reservation)) return CUDA_SUCCESS;
  driver<&CudaDriver::cuMemFree_v2>(CUdeviceptr{*out});
  *out = 0;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

// Allocates linear memory on the current device through `call`, which writes `*out`.
// bytes: what it will occupy, as far as we know before. settled(): what it occupies, after.
template <typename Pointer, typename Call, typename Settled>
CUresult allocate_settled(Pointer* out, std::uint64_t bytes, Call call, Settled settled) noexcept {
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  const Current now = current();
  if (now.device >= 0)
    return allocate_on(static_cast<unsigned>(now.device), now.number(), out, bytes, call, settled);
  return now.status() == CUDA_SUCCESS ? kUnusable : call();  // without a context the driver refuses itself
}

template <typename Pointer, typename Call>
CUresult allocate(Pointer* out, std::uint64_t bytes, Call call) noexcept {
  const std::uint64_t taken = granule(bytes);
  return allocate_settled(out, taken, call, [taken] { return taken; });
}

}  // namespace hami::vgpu
