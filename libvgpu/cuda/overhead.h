// What the card loses to a process beside what it asks for by name: contexts, code, stacks, buffers.
// NVML's word counts where it can be had; a table of first estimates stands in where not.
#pragma once

#include <cstdint>

#include "libvgpu/core/account.h"
#include "libvgpu/cuda/types.h"
#include "libvgpu/nvml/witness.h"

namespace hami::vgpu {

// Around the driver's making of a context. What a context costs is admitted before, as far as it is known;
// the first of a container that can measure it tells the others. One process at a time measures.
class ContextMaking {
 public:
  ContextMaking(unsigned device, CUdevice ordinal) noexcept;
  ~ContextMaking();
  ContextMaking(const ContextMaking&) = delete;
  ContextMaking& operator=(const ContextMaking&) = delete;

  const Reservation& reservation() const noexcept { return reservation_; }

  // The driver made `context`. False: it does not fit under the limit and must be destroyed again.
  bool keep(CUcontext context, bool is_primary) noexcept;

 private:
  std::uint64_t expect() noexcept;
  std::uint64_t first_estimate() const noexcept;

  unsigned device_;
  CUdevice ordinal_;
  bool is_exclusive_ = false;
  bool is_measured_ = false;  // nobody knows the cost before
  Witness before_;
  Reservation reservation_;
};

// A context that the program got by ways of its own is in use, so it is charged now. number: its number.
void charge_adopted_context(CUcontext context, unsigned number) noexcept;

// What the driver takes for one call whose cost nobody can tell before.
class Growth {
 public:
  explicit Growth(unsigned device) noexcept;
  // Bytes that the call took, asked after it.
  std::uint64_t bytes() const noexcept;

 private:
  unsigned device_;
  bool is_witnessed_ = false;
  std::uint64_t held_ = 0;  // by NVML, beyond what is charged; wraps
  std::uint64_t free_ = 0;  // of the card, when NVML does not say
};

// Bytes of the card behind a limit of a context, for `value`.
std::uint64_t bytes_of_limit(CUlimit limit, std::uint64_t value, CUdevice ordinal) noexcept;

// Now and then charges what NVML sees this process hold beyond what is charged, and gives back what it no
// longer sees. For calls that may take a moment.
void reconcile(unsigned device) noexcept;

// In the child of a fork.
void forget_overhead() noexcept;

}  // namespace hami::vgpu
