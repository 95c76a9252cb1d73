#include "libvgpu/share/samples.h"

namespace hami::vgpu::share {

std::uint64_t own_part(const Span& span) noexcept {
  if (!span.has_other) return span.elapsed;
  const std::int64_t uncovered = span.end_gap >= 0 ? span.end_gap : -span.begin_gap;
  if (uncovered <= 0) return 0;
  const auto part = static_cast<std::uint64_t>(uncovered);
  return part < span.elapsed ? part : span.elapsed;
}

int Samples::begin(Kernel& kernel) noexcept {
  for (int i = 0; i < kSlots; ++i) {
    std::uint32_t expected = kFree;
    if (!slots_[i].state.compare_exchange_strong(expected, kReserved, std::memory_order_acq_rel)) continue;
    slots_[i].kernel = &kernel;
    slots_[i].is_overdue.store(0, std::memory_order_relaxed);
    return i;
  }
  return -1;
}

void Samples::launched(int slot, std::uint64_t now, std::uint64_t clean_until) noexcept {
  slots_[slot].launched_at = now;
  slots_[slot].clean_until = clean_until;
  slots_[slot].behind = queued();
  slots_[slot].position = launched_ns_.load(std::memory_order_relaxed);
  slots_[slot].state.store(kLaunched, std::memory_order_release);
}

void Samples::end(int slot) noexcept { slots_[slot].state.store(kFree, std::memory_order_release); }

int Samples::in_order(int (&slots)[kSlots]) const noexcept {
  int count = 0;
  for (int i = 0; i < kSlots; ++i) {
    if (!is_launched(i)) continue;
    int at = count++;
    for (; at > 0 && slots_[slots[at - 1]].launched_at > slots_[i].launched_at; --at)
      slots[at] = slots[at - 1];
    slots[at] = i;
  }
  return count;
}

void Samples::note_ended(int slot) noexcept {
  if (slots_[slot].position > ended_ns_.load(std::memory_order_relaxed)) {
    ended_ns_.store(slots_[slot].position, std::memory_order_relaxed);
  }
}

std::uint64_t Samples::hold_until(const Kernel& kernel, std::uint64_t now, std::uint64_t depth,
                                  int& given_up) noexcept {
  std::uint64_t until = 0;
  given_up = -1;
  const bool is_full = queued() > depth + kernel.cost();
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = slots_[i];
    if (!is_launched(i) || slot.is_overdue.load(std::memory_order_relaxed) != 0) continue;
    const bool is_first_of_its_kind = slot.kernel == &kernel && !kernel.is_measured();
    if (!is_first_of_its_kind && !is_full) continue;
    const std::uint64_t limit = slot.launched_at + kLongestHold + 2 * slot.kernel->cost();
    if (now >= limit) {
      if (slot.is_overdue.exchange(1, std::memory_order_relaxed) == 0) given_up = i;
    } else if (limit > until) {
      until = limit;
    }
  }
  return until;
}

void Samples::clear() noexcept {
  for (Slot& slot : slots_) slot.state.store(kFree, std::memory_order_relaxed);
}

}  // namespace hami::vgpu::share
