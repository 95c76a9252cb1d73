// What stands between a process and the card: a way to hold a share.
#pragma once

#include <memory>
#include <vector>

#include "bench/share/scenario.h"

namespace hami::bench {

// A thread that launches into a stream of its own.
struct Lane {
  std::size_t tenant;
  std::size_t process;
};

class Gate {
 public:
  virtual ~Gate() = default;

  // Lane `lane` wants to launch its kernel number `kernel`. 0: it may; else when to ask again.
  virtual Nanoseconds ask(std::size_t lane, std::size_t kernel, Nanoseconds now) = 0;
  // It was launched as `id`.
  virtual void launched(std::size_t lane, std::uint64_t id, Nanoseconds now) = 0;
  // A kernel ended. `previous_end`: when the lane's work before it had ended.
  virtual void ended(std::size_t lane, const Done& done, Nanoseconds previous_end) = 0;
  // The lane's process had the card.
  virtual void ran(std::size_t lane, Nanoseconds from, Nanoseconds to) = 0;
  // Something to do at a time of its own; UINT64_MAX: never.
  virtual Nanoseconds next_tick() const = 0;
  virtual void tick(Nanoseconds now) = 0;
};

std::unique_ptr<Gate> make_our_gate(const Scenario& scenario, const std::vector<Lane>& lanes);
std::unique_ptr<Gate> make_hami_gate(const Scenario& scenario, const std::vector<Lane>& lanes);

}  // namespace hami::bench
