#include "libvgpu/share/turn.h"

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kShortestPoll = 20 * kMicrosecond;
constexpr std::uint64_t kLongestPoll = kMillisecond;

std::uint64_t earlier(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? a : b; }

// How long until a sample is asked for again: a fraction of the time it was waited for.
std::uint64_t poll_after(std::uint64_t waited) noexcept {
  const std::uint64_t pause = waited / 8;
  if (pause < kShortestPoll) return kShortestPoll;
  return earlier(pause, kLongestPoll);
}

}  // namespace

std::uint64_t Turn::step(std::uint64_t now, Share share) noexcept {
  if (began_ == 0) began_ = now;
  if (!is_paid_) {
    const std::uint64_t hold = holds_ ? pacer_->hold_until(*kernel_, now, share) : 0;
    if (hold > now) {
      pacer_->budget().note_busy(now);
      pacer_->tell_busy(now);
      return earlier(hold, now + poll_after(now - began_));
    }
    start_ = pacer_->take(*batch_, *kernel_, now, share);
    is_paid_ = true;
  } else {
    start_ = pacer_->budget().restated(now, start_, share_, share);
  }
  share_ = share;
  if (start_ > now) return earlier(start_, now + kLook);
  if (holds_) {
    const std::uint64_t again = pacer_->quiet().wait(*kernel_, now, pacer_->samples().queued(),
                                                     share.is_whole(), asks_, clean_until_);
    if (again > now) return again;
  } else if (pacer_->quiet().who(now) <= Neighbours::none) {
    clean_until_ = UINT64_MAX;
  }
  pacer_->tell_busy(now);
  return 0;
}

}  // namespace hami::vgpu::share
