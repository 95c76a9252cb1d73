#include "libvgpu/share/policy.h"

namespace hami::vgpu::share {
namespace {

Share smaller(Share a, Share b) noexcept { return a.thousandths < b.thousandths ? a : b; }

}  // namespace

Share share_now(abi::CorePolicy policy, Share limit, Share floor, Neighbours neighbours) noexcept {
  if (neighbours == Neighbours::important) return smaller(limit, floor);
  switch (policy) {
    case abi::CorePolicy::force:
      return limit;
    case abi::CorePolicy::disable:
      return Share{};
    case abi::CorePolicy::work_conserving:
      break;
  }
  return neighbours == Neighbours::none ? Share{} : limit;
}

Neighbours MonitorWord::read(std::int32_t utilization_switch, std::int32_t recent_kernel, std::uint64_t now,
                             bool& take_back) noexcept {
  take_back = false;
  if (recent_kernel >= 0) {
    paused_since_.store(0, std::memory_order_relaxed);
    return utilization_switch == 0 ? Neighbours::none : Neighbours::unknown;
  }
  std::uint64_t since = 0;
  if (paused_since_.compare_exchange_strong(since, now, std::memory_order_relaxed)) since = now;
  if (now - since < kPauseLease) return Neighbours::important;
  take_back = true;
  return Neighbours::unknown;
}

}  // namespace hami::vgpu::share
