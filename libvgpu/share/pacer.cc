#include "libvgpu/share/pacer.h"

namespace hami::vgpu::share {
namespace {

// A thread that was away this long starts with small batches again.
constexpr std::uint64_t kForgotten = 100 * kMillisecond;

// The next batch: the launch's own cost first, then twice as much each time.
std::uint64_t next_size(const Batch& batch, std::uint64_t cost, std::uint64_t now, Share share) noexcept {
  const std::uint64_t largest = kLargestBatch * share.thousandths / 1000;
  if (now - batch.taken_at > kForgotten) return 0;
  const std::uint64_t wanted = batch.size_ns == 0 ? cost : 2 * batch.size_ns;
  return wanted < largest ? wanted : largest;
}

}  // namespace

std::uint64_t Pacer::take(Batch& batch, Kernel& kernel, std::uint64_t now, Share share) noexcept {
  // What is paid for a kernel of unknown cost is put right when it was measured.
  if (!kernel.is_measured()) kernel.unsampled.fetch_add(1, std::memory_order_relaxed);
  batch.size_ns = next_size(batch, kernel.cost(), now, share);
  batch.taken_at = now;
  batch.left_ns -= static_cast<std::int64_t>(kernel.cost());
  if (batch.left_ns >= 0) return now;  // paid, but to be measured first
  const std::uint64_t amount = static_cast<std::uint64_t>(-batch.left_ns) + batch.size_ns;
  batch.left_ns = static_cast<std::int64_t>(batch.size_ns);
  samples_.note_launched(amount);
  if (!share.is_whole()) return budget_.take(now, amount, share);
  budget_.note(now, amount);
  return now;
}

void Pacer::learn(Kernel& kernel, std::uint64_t now, std::uint64_t card_ns, Seen seen, Share share) noexcept {
  const std::int64_t owed = kernels_->learn(kernel, card_ns, seen, now);
  if (owed != 0 && !share.is_whole()) budget_.settle(now, owed, share);
}

void Pacer::measured(int slot, std::uint64_t now, const Span& span, Share share, std::uint32_t pid) noexcept {
  samples_.note_ended(slot);
  const std::uint64_t clean_until = samples_.clean_until(slot);
  // It may have ended long before a later launch comes to see it. Where it stood behind others of ours
  // nobody knows by how much.
  const std::uint64_t cost = samples_.kernel(slot).cost();
  const std::uint64_t due = samples_.launched_at(slot) + samples_.behind(slot) + span.elapsed;
  const bool is_known = samples_.behind(slot) <= 4 * cost && due < now;
  const bool is_clean = quiet_.was_clean(clean_until, is_known ? due : now, now);
  const Seen alone = clean_until == UINT64_MAX ? Seen::alone : Seen::in_quiet;
  const Seen seen = is_clean ? alone : Seen::among_others;
  if (clean_until != 0 && clean_until != UINT64_MAX) quiet_.release(now);
  const std::uint64_t part = own_part(span);
  std::uint64_t taken = span.elapsed;
  if (part < taken && cost < taken && samples_.kernel(slot).is_measured()) {
    // It waited on the card for a launch in another stream, or ran beside it: its time is not its cost.
    if (part <= cost) return settle_overlap(now, cost - part, is_clean, share);
    // Launches that nobody measured may be in that part: a kernel that has become longer is learned in steps.
    taken = part < cost + cost / 4 ? part : cost + cost / 4;
  }
  // In quiet the other processes of the container wait too.
  const std::uint64_t card_ns = seen == Seen::in_quiet ? taken : budget_.own_part(now, taken, pid);
  learn(samples_.kernel(slot), now, card_ns, seen, share);
}

// What was paid twice comes back. Among the work of others nobody knows how much that is.
void Pacer::settle_overlap(std::uint64_t now, std::uint64_t card_ns, bool is_clean, Share share) noexcept {
  if (is_clean && !share.is_whole()) budget_.settle(now, -static_cast<std::int64_t>(card_ns), share);
}

// Where others may come, or are more important, little is queued.
std::uint64_t Pacer::depth(std::uint64_t now) noexcept {
  const Neighbours neighbours = quiet_.who(now);
  if (neighbours == Neighbours::important || quiet_.may_be_pushed_aside()) return kLowQueueDepth;
  return neighbours <= Neighbours::none ? kQueueDepth : kSharedQueueDepth;
}

std::uint64_t Pacer::hold_until(const Kernel& kernel, std::uint64_t now, Share share) noexcept {
  int given_up = -1;
  const std::uint64_t until = samples_.hold_until(kernel, now, depth(now), given_up);
  if (given_up >= 0 && !samples_.kernel(given_up).is_measured()) {
    learn(samples_.kernel(given_up), now, now - samples_.launched_at(given_up), Seen::among_others, share);
  }
  return until;
}

}  // namespace hami::vgpu::share
