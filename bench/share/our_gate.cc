// libvgpu's own controller, fed as its launch functions feed it: events before and behind the measured
// launches, asked for when a later launch has to wait anyway.
#include <memory>

#include "bench/share/gate.h"
#include "libvgpu/share/policy.h"
#include "libvgpu/share/turn.h"

namespace hami::bench {
namespace {

using namespace hami::vgpu::share;
namespace abi = hami::abi;

// The clock of a real machine never stands at zero.
constexpr Nanoseconds kEpoch = 1000 * kS;

class OurGate : public Gate {
 public:
  OurGate(const Scenario& scenario, const std::vector<Lane>& lanes)
      : scenario_(scenario), lanes_(lanes), threads_(lanes.size()), budgets_(scenario.tenants.size()) {
    for (auto& budget : budgets_) budget = std::make_unique<abi::CoreBudget>();
    for (std::size_t i = 0; i < scenario.tenants.size(); ++i) {
      boards_.push_back(std::make_unique<abi::BoardDevice>());
    }
    for (const Lane& lane : lanes) {
      if (lane.process < processes_.size()) continue;
      const std::size_t tenant = lane.tenant;
      processes_.push_back(std::make_unique<Process>());
      Process& process = *processes_.back();
      process.tenant = tenant;
      const Seat seat = {&process.others, boards_[tenant].get(), tenant + 1,
                         scenario.tenants[tenant].priority};
      process.pacer.attach(*budgets_[tenant], *process.kernels, scenario.has_board ? seat : Seat{});
    }
  }

  Nanoseconds ask(std::size_t lane, std::size_t kernel, Nanoseconds now) override {
    Process& process = process_of(lane);
    Thread& thread = threads_[lane];
    if (!thread.turn) {
      const void* function = &scenario_.tenants[process.tenant].pattern.kernels[kernel];
      thread.kernel = &process.kernels->find(launch_key({.function = function}));
      if (thread.batch.spend(*thread.kernel)) return 0;
      thread.turn = std::make_unique<Turn>(process.pacer, thread.batch, *thread.kernel, true);
    }
    look_around(process, now);
    collect(process, lanes_[lane].process, now);
    const Nanoseconds again = thread.turn->step(kEpoch + now, share_of(process, now));
    if (again != 0) return again - kEpoch;
    thread.clean_until = thread.turn->clean_until();
    thread.turn.reset();
    thread.slot = process.pacer.samples().begin(*thread.kernel);
    return 0;
  }

  void launched(std::size_t lane, std::uint64_t id, Nanoseconds now) override {
    Process& process = process_of(lane);
    Thread& thread = threads_[lane];
    if (thread.slot < 0) return;
    process.pacer.samples().launched(thread.slot, kEpoch + now, thread.clean_until);
    process.events[thread.slot] = {id, lane, now, 0, 0};
    thread.slot = -1;
  }

  void ended(std::size_t lane, const Done& done, Nanoseconds previous_end) override {
    for (Event& event : process_of(lane).events) {
      if (event.id != done.id || event.id == 0) continue;
      // The event before a kernel is reached right after the work before it, or when the card next serves
      // the process.
      const Nanoseconds began = event.recorded > previous_end ? done.reached : previous_end;
      event.began = began;
      event.elapsed = std::max<Nanoseconds>(done.ended - began, 1);
    }
  }

  void ran(std::size_t, Nanoseconds, Nanoseconds) override {}
  Nanoseconds next_tick() const override { return UINT64_MAX; }
  void tick(Nanoseconds) override {}

 private:
  struct Event {
    std::uint64_t id = 0;
    std::size_t lane = 0;
    Nanoseconds recorded = 0;
    Nanoseconds began = 0;
    Nanoseconds elapsed = 0;  // 0: not over
  };
  struct Process {
    std::size_t tenant = 0;
    std::unique_ptr<Kernels> kernels = std::make_unique<Kernels>();
    Pacer pacer;
    Neighbourhood others;
    Nanoseconds looked = 0;
    Event events[Samples::kSlots];
    Event latest;  // of the measured ones the one that ended last
  };
  struct Thread {
    std::uint64_t clean_until = 0;
    Batch batch;
    Kernel* kernel = nullptr;
    std::unique_ptr<Turn> turn;
    int slot = -1;
  };

  Process& process_of(std::size_t lane) { return *processes_[lanes_[lane].process]; }

  static Span compare(const Event& event, const Event& other) {
    Span span = {.elapsed = event.elapsed};
    span.has_other = other.elapsed != 0 && other.lane != event.lane;
    span.begin_gap = static_cast<std::int64_t>(event.began) - static_cast<std::int64_t>(other.began);
    span.end_gap =
        span.begin_gap + static_cast<std::int64_t>(event.elapsed) - static_cast<std::int64_t>(other.elapsed);
    return span;
  }

  void collect(Process& process, std::size_t pid, Nanoseconds now) {
    int slots[Samples::kSlots];
    const int count = process.pacer.samples().in_order(slots);
    for (int k = 0; k < count; ++k) {
      const int i = slots[k];
      Event& event = process.events[i];
      if (event.elapsed == 0) continue;
      const Span span = compare(event, process.latest);
      process.pacer.measured(i, kEpoch + now, span, share_of(process, now), static_cast<std::uint32_t>(pid));
      if (span.end_gap >= 0) process.latest = event;
      process.pacer.samples().end(i);
      event = {};
    }
  }

  Share share_of(Process& process, Nanoseconds now) const {
    const Tenant& mine = scenario_.tenants[process.tenant];
    const auto policy = scenario_.is_forced ? abi::CorePolicy::force : abi::CorePolicy::work_conserving;
    return share_now(policy, share_of_percent(mine.percent), scenario_.floor,
                     process.pacer.quiet().who(kEpoch + now));
  }

  // As the library does: now and then, when a launch goes the long way.
  void look_around(Process& process, Nanoseconds now) const {
    if (!scenario_.has_board || (process.looked != 0 && now < process.looked + kMs)) return;
    process.looked = now;
    std::vector<Neighbour> found;
    for (std::size_t i = 0; i < boards_.size(); ++i) {
      if (i == process.tenant) continue;
      found.push_back({i + 1, scenario_.tenants[i].priority, boards_[i]->busy_until, boards_[i]->quiet_from,
                       boards_[i]->quiet_until});
    }
    process.others.update(found.data(), static_cast<unsigned>(found.size()));
  }

  const Scenario& scenario_;
  const std::vector<Lane>& lanes_;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<abi::CoreBudget>> budgets_;
  std::vector<std::unique_ptr<abi::BoardDevice>> boards_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace

std::unique_ptr<Gate> make_our_gate(const Scenario& scenario, const std::vector<Lane>& lanes) {
  return std::make_unique<OurGate>(scenario, lanes);
}

}  // namespace hami::bench
