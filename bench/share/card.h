// A simulated card on a virtual clock: processes queue kernels, the card gives each process that has work a
// time slice in turn, as real cards do without MPS. Deterministic.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace hami::bench {

using Nanoseconds = std::uint64_t;

struct Work {
  std::uint64_t id = 0;
  Nanoseconds length = 0;  // alone on the card
};

// What one process did: when a kernel of it began and ended.
struct Done {
  std::uint64_t id = 0;
  Nanoseconds began = 0;
  Nanoseconds ended = 0;
};

class Card {
 public:
  Card(std::size_t processes, Nanoseconds slice) : slice_(slice), queues_(processes) {}

  // Puts a kernel at the end of the process's queue.
  void enqueue(std::size_t process, Work work);

  // When something ends or is switched next; UINT64_MAX when the card is idle.
  Nanoseconds next_event() const;

  // Runs until `time`. Calls `done` for every kernel that ends and `ran` for every stretch of time in which a
  // process had the card.
  void run_until(Nanoseconds time, const std::function<void(std::size_t, const Done&)>& done,
                 const std::function<void(std::size_t, Nanoseconds, Nanoseconds)>& ran);

  std::size_t queued(std::size_t process) const { return queues_[process].size(); }
  Nanoseconds now() const { return now_; }

 private:
  struct Item {
    std::uint64_t id;
    Nanoseconds left;
    Nanoseconds began;  // 0: has not run yet
  };
  bool choose();

  Nanoseconds slice_;
  std::vector<std::deque<Item>> queues_;
  Nanoseconds now_ = 0;
  std::size_t current_ = 0;
  bool is_running_ = false;
  Nanoseconds slice_end_ = 0;
};

}  // namespace hami::bench
