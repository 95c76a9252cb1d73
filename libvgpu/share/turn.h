// The wait of one launch that its thread's batch did not cover.
#pragma once

#include <cstdint>

#include "libvgpu/share/pacer.h"

namespace hami::vgpu::share {

class Turn {
 public:
  // `is_held_by_samples` false: a launch that others may wait for on the card (a cooperative one) does not
  // wait for them, it only pays.
  Turn(Pacer& pacer, Batch& batch, Kernel& kernel, bool is_held_by_samples) noexcept
      : pacer_(&pacer), batch_(&batch), kernel_(&kernel), holds_(is_held_by_samples) {}

  // Looks at the state at `now`. Returns 0 when the launch may go, else when to look again. In between the
  // caller collects samples that have ended and may find another share.
  std::uint64_t step(std::uint64_t now, Share share) noexcept;

  // When the launch may go: until when nobody else works on the card, see Quiet::wait().
  std::uint64_t clean_until() const noexcept { return clean_until_; }

 private:
  Pacer* pacer_;
  Batch* batch_;
  Kernel* kernel_;
  bool holds_;
  bool is_paid_ = false;
  bool asks_ = false;  // for quiet, see Quiet::wait()
  Share share_;
  std::uint64_t began_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t clean_until_ = 0;
};

// A waiting launch looks again at least this often: limits and neighbours change.
inline constexpr std::uint64_t kLook = 10 * kMillisecond;

}  // namespace hami::vgpu::share
