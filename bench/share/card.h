// A simulated card on a virtual clock: processes queue kernels in streams, the card gives each process that
// has work a time slice in turn, as real cards do without MPS. Kernels of one process run side by side as far
// as they fit. Deterministic.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace hami::bench {

using Nanoseconds = std::uint64_t;

struct Work {
  std::uint64_t id = 0;
  Nanoseconds length = 0;  // alone on the card
  double room = 1;         // part of the card that it fills
};

// A kernel that ran.
struct Done {
  std::uint64_t id = 0;
  Nanoseconds reached = 0;  // its turn in its stream had come, and its process had the card
  Nanoseconds ended = 0;
};

class Card {
 public:
  // processes[i]: whose the stream i is. Those of one process follow each other.
  Card(std::vector<std::size_t> processes, Nanoseconds slice)
      : slice_(slice), process_of_(std::move(processes)), streams_(process_of_.size()) {}

  // Puts a kernel at the end of a stream.
  void enqueue(std::size_t stream, Work work);

  // When something ends or is switched next; UINT64_MAX when the card is idle.
  Nanoseconds next_event() const;

  // Runs until `time`. Calls `done` with the stream of every kernel that ends, and `ran` for every stretch of
  // time in which a process had the card, with one of its streams.
  void run_until(Nanoseconds time, const std::function<void(std::size_t, const Done&)>& done,
                 const std::function<void(std::size_t, Nanoseconds, Nanoseconds)>& ran);

  std::size_t queued(std::size_t stream) const { return streams_[stream].size(); }
  Nanoseconds now() const { return now_; }

 private:
  struct Item {
    std::uint64_t id;
    Nanoseconds left;
    double room;
    Nanoseconds reached;  // + 1; 0: not yet
    bool is_running;
  };
  bool choose();
  void start();
  bool has_work(std::size_t process) const;
  Nanoseconds shortest() const;

  Nanoseconds slice_;
  std::vector<std::size_t> process_of_;
  std::vector<std::deque<Item>> streams_;
  std::vector<std::size_t> running_;  // streams whose first kernel runs
  Nanoseconds now_ = 0;
  std::size_t current_ = 0;  // process
  bool is_running_ = false;
  Nanoseconds slice_end_ = 0;
};

}  // namespace hami::bench
