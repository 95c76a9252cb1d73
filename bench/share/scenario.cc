#include "bench/share/scenario.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>

#include "bench/share/gate.h"

namespace hami::bench {
namespace {

constexpr Nanoseconds kSlice = 2 * kMs;
constexpr Nanoseconds kWindow = 100 * kMs;
constexpr Nanoseconds kStep = 10 * kMs;
constexpr Nanoseconds kWarmUp = kS;

class Engine {
 public:
  Engine(const Scenario& scenario, Method method) : scenario_(scenario) {
    std::vector<std::size_t> process_of;
    for (std::size_t i = 0; i < scenario.tenants.size(); ++i) add_lanes(i, process_of);
    card_ = std::make_unique<Card>(process_of, kSlice);
    gate_ = method == Method::ours ? make_our_gate(scenario, lanes_) : make_hami_gate(scenario, lanes_);
    threads_.resize(lanes_.size());
    busy_.resize(scenario.tenants.size(), std::vector<Nanoseconds>(scenario.length / kStep + 1, 0));
    kernels_.resize(scenario.tenants.size());
    delays_.resize(scenario.tenants.size());
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      // Programs do not start in the same nanosecond.
      agenda_.push({tenant(i).begins + i * 37 * kUs, i});
    }
  }

  Result run() {
    while (step()) {
    }
    return summarise();
  }

 private:
  struct Thread {
    std::size_t next_kernel = 0;
    bool is_waiting = false;  // for one of its kernels to end
    Nanoseconds last_end = 0;
    Nanoseconds length = 0;  // of the kernel that it waits for
    Nanoseconds asked = 0;   // when it first wanted to launch what it waits for; 0: nothing
  };
  struct Entry {
    Nanoseconds time;
    std::size_t lane;
    bool operator>(const Entry& other) const {
      return time != other.time ? time > other.time : lane > other.lane;
    }
  };

  const Tenant& tenant(std::size_t lane) const { return scenario_.tenants[lanes_[lane].tenant]; }

  void add_lanes(std::size_t tenant, std::vector<std::size_t>& process_of) {
    for (unsigned k = 0; k < scenario_.tenants[tenant].processes; ++k) {
      const std::size_t process = process_of.empty() ? 0 : process_of.back() + 1;
      for (unsigned t = 0; t < scenario_.tenants[tenant].threads; ++t) {
        lanes_.push_back({tenant, process});
        process_of.push_back(process);
      }
    }
  }

  bool step() {
    Nanoseconds next = std::min(card_->next_event(), gate_->next_tick());
    if (!agenda_.empty()) next = std::min(next, agenda_.top().time);
    if (next >= scenario_.length) {
      advance(scenario_.length);
      return false;
    }
    advance(next);
    if (gate_->next_tick() <= next) gate_->tick(next);
    while (!agenda_.empty() && agenda_.top().time <= next) {
      const std::size_t lane = agenda_.top().lane;
      agenda_.pop();
      act(lane, next);
    }
    return true;
  }

  void advance(Nanoseconds time) {
    card_->run_until(
        time, [this](std::size_t lane, const Done& done) { ended(lane, done); },
        [this](std::size_t lane, Nanoseconds from, Nanoseconds to) { ran(lane, from, to); });
  }

  void ended(std::size_t index, const Done& done) {
    Thread& thread = threads_[index];
    gate_->ended(index, done, thread.last_end);
    thread.last_end = done.ended;
    if (done.ended >= kWarmUp) ++kernels_[lanes_[index].tenant];
    if (!thread.is_waiting) return;
    thread.is_waiting = false;
    if (tenant(index).pattern.synchronises) note_delay(index, done.ended);
    agenda_.push({done.ended + tenant(index).pattern.host, index});
  }

  // Of programs that wait for each launch.
  void note_delay(std::size_t index, Nanoseconds ended) {
    Thread& thread = threads_[index];
    Nanoseconds& longest = delays_[lanes_[index].tenant];
    longest = std::max(longest, ended - thread.asked - thread.length);
    thread.asked = 0;
  }

  void ran(std::size_t lane, Nanoseconds from, Nanoseconds to) {
    gate_->ran(lane, from, to);
    while (from < to) {
      const Nanoseconds stop = std::min(to, (from / kStep + 1) * kStep);
      busy_[lanes_[lane].tenant][from / kStep] += stop - from;
      from = stop;
    }
  }

  // The lane's thread runs at `now`: launches, or finds out that it must wait.
  void act(std::size_t index, Nanoseconds now) {
    const Pattern& pattern = tenant(index).pattern;
    Thread& thread = threads_[index];
    if (now >= tenant(index).ends) return;
    if (pattern.burst_every != 0 && now % pattern.burst_every > pattern.burst_every / 2) {
      agenda_.push({(now / pattern.burst_every + 1) * pattern.burst_every, index});
      return;
    }
    if (card_->queued(index) >= pattern.queue) {
      thread.is_waiting = true;
      return;
    }
    const std::size_t kernel = thread.next_kernel;
    if (thread.asked == 0) thread.asked = now;
    const Nanoseconds again = gate_->ask(index, kernel, now);
    if (again != 0) {
      agenda_.push({std::max(again, now + kUs), index});
      return;
    }
    thread.next_kernel = (kernel + 1) % pattern.kernels.size();
    const std::uint64_t id = ++last_id_;
    gate_->launched(index, id, now);
    card_->enqueue(index, {id, pattern.kernels[kernel], pattern.room});
    if (pattern.synchronises) {
      thread.is_waiting = true;
      thread.length = pattern.kernels[kernel];
    } else {
      thread.asked = 0;
      agenda_.push({now + pattern.host, index});
    }
  }

  Result summarise() const {
    Result result;
    double sum = 0;
    double squares = 0;
    double limited = 0;  // what is left belongs to those without a limit
    double unlimited = 0;
    for (const Tenant& tenant : scenario_.tenants) {
      limited += tenant.percent;
      unlimited += tenant.percent == 0 ? 1 : 0;
    }
    for (std::size_t i = 0; i < busy_.size(); ++i) {
      result.tenants.push_back(summarise(i));
      const Tenant& tenant = scenario_.tenants[i];
      const double share = result.tenants.back().share;
      result.card += share;
      const double ratio = share / (tenant.percent != 0 ? tenant.percent : (100 - limited) / unlimited);
      sum += ratio;
      squares += ratio * ratio;
    }
    result.jain = squares > 0 ? sum * sum / (static_cast<double>(busy_.size()) * squares) : 1;
    return result;
  }

  TenantResult summarise(std::size_t index) const {
    TenantResult out;
    const std::vector<Nanoseconds>& bins = busy_[index];
    const Nanoseconds from = std::max(kWarmUp, scenario_.tenants[index].begins + kWarmUp) / kStep;
    const Nanoseconds to = std::min(scenario_.length, scenario_.tenants[index].ends) / kStep;
    constexpr Nanoseconds kBins = kWindow / kStep;
    Nanoseconds total = 0;
    Nanoseconds window = 0;
    for (Nanoseconds i = from; i < to; ++i) {
      total += bins[i];
      window += bins[i];
      if (i >= from + kBins) window -= bins[i - kBins];
      if (i + 1 >= from + kBins) out.worst_window = std::max(out.worst_window, percent(window, kWindow));
    }
    out.share = to > from ? percent(total, (to - from) * kStep) : 0;
    for (Nanoseconds i = 0; i + kBins <= scenario_.length / kStep; i += kBins) {
      Nanoseconds sum = 0;
      for (Nanoseconds k = 0; k < kBins; ++k) sum += bins[i + k];
      out.windows.push_back(static_cast<float>(percent(sum, kWindow)));
    }
    out.kernels = kernels_[index];
    out.longest_delay = delays_[index];
    return out;
  }

  static double percent(Nanoseconds part, Nanoseconds whole) {
    return 100 * static_cast<double>(part) / static_cast<double>(whole);
  }

  const Scenario& scenario_;
  std::vector<Lane> lanes_;
  std::unique_ptr<Card> card_;
  std::unique_ptr<Gate> gate_;
  std::vector<Thread> threads_;
  std::vector<std::vector<Nanoseconds>> busy_;  // per tenant and kStep
  std::vector<Nanoseconds> delays_;             // per tenant, the longest
  std::vector<std::uint64_t> kernels_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> agenda_;
  std::uint64_t last_id_ = 0;
};

}  // namespace

Result run(const Scenario& scenario, Method method) { return Engine(scenario, method).run(); }

}  // namespace hami::bench
