// HAMi-core's controller as its documentation and issues describe it: a bucket of thread blocks per process,
// refilled every 120 ms by an integral law from NVML's utilisation of the container.
#include <algorithm>
#include <array>
#include <cmath>

#include "bench/share/gate.h"

namespace hami::bench {
namespace {

constexpr Nanoseconds kTick = 120 * kMs;
constexpr Nanoseconds kSample = 167 * kMs;  // NVML's utilisation is that of the last whole period
constexpr Nanoseconds kNap = 10 * kMs;
constexpr std::int64_t kBlocks = 1056;  // of every launch: the law does not know how long one takes

class HamiGate : public Gate {
 public:
  HamiGate(const Scenario& scenario, const std::vector<Lane>& lanes)
      : scenario_(scenario), lanes_(lanes), processes_(lanes.back().process + 1) {
    const std::int64_t total = std::int64_t{scenario.card.multiprocessors} * scenario.card.threads * 32;
    for (Process& process : processes_) process.total = total;
    for (const Lane& lane : lanes) processes_[lane.process].tenant = lane.tenant;
  }

  Nanoseconds ask(std::size_t lane, std::size_t, Nanoseconds now) override {
    if (limit_of(lanes_[lane].tenant) == 0) return 0;
    Process& process = processes_[lanes_[lane].process];
    if (process.current < 0) return now + kNap;
    process.current -= kBlocks;
    return 0;
  }

  void launched(std::size_t, std::uint64_t, Nanoseconds) override {}
  void ended(std::size_t, const Done&, Nanoseconds) override {}

  void ran(std::size_t lane, Nanoseconds from, Nanoseconds to) override {
    Process& process = processes_[lanes_[lane].process];
    while (from < to) {
      const Nanoseconds period = from / kSample;
      if (period != process.period) {
        process.last_busy = period == process.period + 1 ? process.busy : 0;
        process.period = period;
        process.busy = 0;
      }
      const Nanoseconds stop = std::min(to, (period + 1) * kSample);
      process.busy += stop - from;
      from = stop;
    }
  }

  Nanoseconds next_tick() const override { return next_tick_; }

  void tick(Nanoseconds now) override {
    next_tick_ = now + kTick;
    for (Process& process : processes_) {
      const std::int64_t limit = limit_of(process.tenant);
      if (limit != 0) refill(process, limit, utilisation(process.tenant, now));
    }
  }

 private:
  struct Process {
    std::size_t tenant = 0;
    std::int64_t current = 0;
    std::int64_t total = 0;
    std::int64_t share = 0;
    Nanoseconds period = 0;
    Nanoseconds busy = 0;
    Nanoseconds last_busy = 0;
  };

  std::int64_t limit_of(std::size_t tenant) const { return scenario_.tenants[tenant].percent; }

  // Percent of the last whole period, summed over the container's processes.
  std::int64_t utilisation(std::size_t tenant, Nanoseconds now) const {
    const Nanoseconds current = now / kSample;
    Nanoseconds busy = 0;
    for (const Process& process : processes_) {
      if (process.tenant != tenant) continue;
      if (process.period == current) busy += process.last_busy;
      if (process.period + 1 == current) busy += process.busy;
    }
    return static_cast<std::int64_t>(busy * 100 / kSample);
  }

  void refill(Process& process, std::int64_t limit, std::int64_t used) const {
    const std::int64_t sms = scenario_.card.multiprocessors;
    const std::int64_t distance = std::max<std::int64_t>(5, std::abs(limit - used));
    std::int64_t step = sms * sms * scenario_.card.threads * distance / 2560;
    if (distance > limit / 2) step = step * 2 * distance / (limit + 1);
    process.share = used <= limit ? std::min(process.total, process.share + step)
                                  : std::max<std::int64_t>(0, process.share - step);
    if (process.share == process.total && process.current < 0) {
      process.total *= 2;
      process.share *= 2;
    }
    process.current = std::min(process.total, process.current + process.share);
  }

  const Scenario& scenario_;
  const std::vector<Lane>& lanes_;
  std::vector<Process> processes_;
  Nanoseconds next_tick_ = kTick;
};

}  // namespace

std::unique_ptr<Gate> make_hami_gate(const Scenario& scenario, const std::vector<Lane>& lanes) {
  return std::make_unique<HamiGate>(scenario, lanes);
}

}  // namespace hami::bench
