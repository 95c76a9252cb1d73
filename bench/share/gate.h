// What stands between a process and the card: a way to hold a share.
#pragma once

#include <memory>

#include "bench/share/scenario.h"

namespace hami::bench {

class Gate {
 public:
  virtual ~Gate() = default;

  // Process `process` wants to launch its kernel number `kernel`. 0: it may; else when to ask again.
  virtual Nanoseconds ask(std::size_t process, std::size_t kernel, Nanoseconds now) = 0;
  // It was launched as `id`.
  virtual void launched(std::size_t process, std::uint64_t id, Nanoseconds now) = 0;
  // A kernel ended. `previous_end`: when the process's work before it had ended.
  virtual void ended(std::size_t process, const Done& done, Nanoseconds previous_end) = 0;
  // The process had the card.
  virtual void ran(std::size_t process, Nanoseconds from, Nanoseconds to) = 0;
  // Something to do at a time of its own; UINT64_MAX: never.
  virtual Nanoseconds next_tick() const = 0;
  virtual void tick(Nanoseconds now) = 0;
};

// owner[i]: the tenant of process i.
std::unique_ptr<Gate> make_our_gate(const Scenario& scenario, const std::vector<std::size_t>& owner);
std::unique_ptr<Gate> make_hami_gate(const Scenario& scenario, const std::vector<std::size_t>& owner);

}  // namespace hami::bench
