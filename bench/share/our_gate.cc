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
  OurGate(const Scenario& scenario, const std::vector<std::size_t>& owner)
      : scenario_(scenario), owner_(owner), budgets_(scenario.tenants.size()) {
    for (auto& budget : budgets_) budget = std::make_unique<abi::CoreBudget>();
    for (std::size_t i = 0; i < scenario.tenants.size(); ++i) {
      boards_.push_back(std::make_unique<abi::BoardDevice>());
    }
    for (const std::size_t tenant : owner) {
      processes_.push_back(std::make_unique<Process>());
      Process& process = *processes_.back();
      const Seat seat = {&process.others, boards_[tenant].get(), tenant + 1,
                         scenario.tenants[tenant].priority};
      process.pacer.attach(*budgets_[tenant], *process.kernels, scenario.has_board ? seat : Seat{});
    }
  }

  Nanoseconds ask(std::size_t index, std::size_t kernel, Nanoseconds now) override {
    Process& process = *processes_[index];
    if (!process.turn) {
      const void* function = &scenario_.tenants[owner_[index]].pattern.kernels[kernel];
      process.kernel = &process.kernels->find(launch_key({.function = function}));
      if (process.batch.spend(*process.kernel)) return 0;
      process.turn = std::make_unique<Turn>(process.pacer, process.batch, *process.kernel, true);
    }
    look_around(index, now);
    collect(index, now);
    const Nanoseconds again = process.turn->step(kEpoch + now, share_of(index, now));
    if (again != 0) return again - kEpoch;
    process.clean_until = process.turn->clean_until();
    process.turn.reset();
    process.slot = process.pacer.samples().begin(*process.kernel);
    return 0;
  }

  void launched(std::size_t index, std::uint64_t id, Nanoseconds now) override {
    Process& process = *processes_[index];
    if (process.slot < 0) return;
    process.pacer.samples().launched(process.slot, kEpoch + now, process.clean_until);
    process.events[process.slot] = {id, now, 0};
    process.slot = -1;
  }

  void ended(std::size_t index, const Done& done, Nanoseconds previous_end) override {
    for (Event& event : processes_[index]->events) {
      if (event.id != done.id || event.id == 0) continue;
      // The event before a kernel is reached right after the work before it, or when the card next serves
      // the process.
      const Nanoseconds began = event.recorded > previous_end ? done.began : previous_end;
      event.elapsed = std::max<Nanoseconds>(done.ended - began, 1);
    }
  }

  void ran(std::size_t, Nanoseconds, Nanoseconds) override {}
  Nanoseconds next_tick() const override { return UINT64_MAX; }
  void tick(Nanoseconds) override {}

 private:
  struct Event {
    std::uint64_t id = 0;
    Nanoseconds recorded = 0;
    Nanoseconds elapsed = 0;  // 0: not over
  };
  struct Process {
    std::unique_ptr<Kernels> kernels = std::make_unique<Kernels>();
    Pacer pacer;
    Neighbourhood others;
    Nanoseconds looked = 0;
    std::uint64_t clean_until = 0;
    Batch batch;
    Kernel* kernel = nullptr;
    std::unique_ptr<Turn> turn;
    int slot = -1;
    Event events[Samples::kSlots];
  };

  void collect(std::size_t index, Nanoseconds now) {
    Process& process = *processes_[index];
    for (int i = 0; i < Samples::kSlots; ++i) {
      Event& event = process.events[i];
      if (event.elapsed == 0 || !process.pacer.samples().is_launched(i)) continue;
      process.pacer.measured(i, kEpoch + now, event.elapsed, share_of(index, now),
                             static_cast<std::uint32_t>(index));
      process.pacer.samples().end(i);
      event = {};
    }
  }

  Share share_of(std::size_t index, Nanoseconds now) const {
    const Tenant& mine = scenario_.tenants[owner_[index]];
    const auto policy = scenario_.is_forced ? abi::CorePolicy::force : abi::CorePolicy::work_conserving;
    return share_now(policy, share_of_percent(mine.percent), kDefaultFloor,
                     processes_[index]->pacer.quiet().who(kEpoch + now));
  }

  // As the library does: now and then, when a launch goes the long way.
  void look_around(std::size_t index, Nanoseconds now) {
    Process& process = *processes_[index];
    if (!scenario_.has_board || (process.looked != 0 && now < process.looked + kMs)) return;
    process.looked = now;
    std::vector<Neighbour> found;
    for (std::size_t i = 0; i < boards_.size(); ++i) {
      if (i == owner_[index]) continue;
      found.push_back({i + 1, scenario_.tenants[i].priority, boards_[i]->busy_until, boards_[i]->quiet_from,
                       boards_[i]->quiet_until});
    }
    process.others.update(found.data(), static_cast<unsigned>(found.size()));
  }

  const Scenario& scenario_;
  const std::vector<std::size_t>& owner_;
  std::vector<std::unique_ptr<abi::CoreBudget>> budgets_;
  std::vector<std::unique_ptr<abi::BoardDevice>> boards_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace

std::unique_ptr<Gate> make_our_gate(const Scenario& scenario, const std::vector<std::size_t>& owner) {
  return std::make_unique<OurGate>(scenario, owner);
}

}  // namespace hami::bench
