#include "tests/simdriver/cuda/work.h"

#include <time.h>

#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint32_t kMaxRunning = 128;
constexpr double kSlack = 1e-9;

// What this process runs on one card; its own business, since processes take turns.
struct Running {
  std::uint64_t end_ns;
  double room;
};
struct Card {
  Running running[kMaxRunning];
  std::uint64_t covered_ns;  // busy time is recorded up to here
};
Card cards[kMaxDevices];  // under the state's lock

// The earliest time from `start` on at which there is room for `room`; notes the end of what runs then.
std::uint64_t find_room(const Card& card, std::uint64_t start, double room) {
  for (;;) {
    double taken = 0;
    std::uint64_t next_end = UINT64_MAX;
    for (const Running& one : card.running) {
      if (one.end_ns <= start) continue;
      taken += one.room;
      if (one.end_ns < next_end) next_end = one.end_ns;
    }
    if (taken + room <= 1 + kSlack || next_end == UINT64_MAX) return start;
    start = next_end;
  }
}

void remember_running(Card& card, std::uint64_t end, double room) {
  Running* oldest = &card.running[0];
  for (Running& one : card.running) {
    if (one.end_ns < oldest->end_ns) oldest = &one;
  }
  *oldest = {end, room};
}

// How many processes have work on the card at `time`, this one included; notes that this one does until
// `until`.
std::uint64_t count_active(Device& device, std::uint64_t time) {
  std::uint64_t count = 1;
  for (const Active& one : device.active) {
    if (one.until_ns > time && one.slot != slot()) ++count;
  }
  return count;
}

void note_active(Device& device, std::uint64_t time, std::uint64_t until) {
  Active* place = nullptr;
  for (Active& one : device.active) {
    if (one.slot == slot() && one.until_ns != 0) {
      place = &one;
      break;
    }
    if (place == nullptr && one.until_ns <= time) place = &one;
  }
  if (place == nullptr) return;  // more than 64 at once: the others already share the card
  if (place->slot != slot() || until > place->until_ns) *place = {slot(), 0, until};
}

void add_sample(Process& process, std::uint32_t device, std::uint64_t period, std::uint64_t busy) {
  BusySample& sample = process.busy[device][period % kBusySamples];
  if (sample.period != period) sample = {period, 0};
  sample.busy_ns += busy;
}

// Spreads the busy time over the periods it falls in. Of overlapping kernels the time counts once.
void record_busy(std::uint32_t index, std::uint64_t start, std::uint64_t end, std::uint64_t sharers) {
  Card& card = cards[index];
  if (start < card.covered_ns) start = card.covered_ns;
  if (end <= start) return;
  card.covered_ns = end;
  Process& process = state().processes[slot()];
  const std::uint64_t length = state().options.sample_period_ns;
  process.share[index].busy_ns += (end - start) / sharers;
  state().devices[index].busy_total_ns += (end - start) / sharers;
  while (start < end) {
    const std::uint64_t period = start / length;
    const std::uint64_t stop = (period + 1) * length < end ? (period + 1) * length : end;
    add_sample(process, index, period, (stop - start) / sharers);
    start = stop;
  }
}

}  // namespace

std::uint64_t now() { return now_ns(state()); }

std::uint64_t schedule(const Context& context, Work work, std::uint64_t earliest_ns) {
  const Guard guard(state());
  const std::uint64_t time = now();
  if (earliest_ns < time) earliest_ns = time;
  if (work.duration_ns == 0) return earliest_ns;
  Device& device = state().devices[context.device];
  Card& card = cards[context.device];
  const std::uint64_t sharers = count_active(device, time);
  const std::uint64_t start = find_room(card, earliest_ns, work.room);
  const std::uint64_t end = start + work.duration_ns * sharers;
  remember_running(card, end, work.room);
  note_active(device, time, end);
  record_busy(context.device, start, end, sharers);
  return end;
}

void wait_until(std::uint64_t time_ns) {
  if (state().options.virtual_clock != 0) {
    std::uint64_t time = now();
    while (time < time_ns && !__atomic_compare_exchange_n(&state().virtual_ns, &time, time_ns, false,
                                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
    return;
  }
  if (now() >= time_ns) return;
  const timespec until{static_cast<time_t>(time_ns / 1000000000U), static_cast<long>(time_ns % 1000000000U)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

}  // namespace hami::sim
