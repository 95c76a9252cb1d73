#include "bench/share/card.h"

#include <algorithm>

namespace hami::bench {

void Card::enqueue(std::size_t stream, Work work) {
  streams_[stream].push_back({work.id, work.length, work.room, 0, false});
  if (!is_running_) {
    choose();
  } else if (process_of_[stream] == current_) {
    start();
  }
}

bool Card::has_work(std::size_t process) const {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (process_of_[i] == process && !streams_[i].empty()) return true;
  }
  return false;
}

// The next process in turn that has work.
bool Card::choose() {
  const std::size_t processes = process_of_.back() + 1;
  is_running_ = false;
  for (std::size_t i = 1; i <= processes; ++i) {
    const std::size_t candidate = (current_ + i) % processes;
    if (!has_work(candidate)) continue;
    current_ = candidate;
    is_running_ = true;
    slice_end_ = now_ + slice_;
    start();
    return true;
  }
  return false;
}

// Starts what fits beside the kernels that run already.
void Card::start() {
  constexpr double kSlack = 1e-9;
  running_.clear();
  double taken = 0;
  for (const bool goes_on : {true, false}) {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (process_of_[i] != current_ || streams_[i].empty()) continue;
      Item& first = streams_[i].front();
      if (first.reached == 0) first.reached = now_ + 1;
      if (first.is_running != goes_on || taken + first.room > 1 + kSlack) continue;
      if (std::find(running_.begin(), running_.end(), i) != running_.end()) continue;
      taken += first.room;
      first.is_running = true;
      running_.push_back(i);
    }
  }
}

Nanoseconds Card::shortest() const {
  Nanoseconds least = UINT64_MAX;
  for (const std::size_t stream : running_) least = std::min(least, streams_[stream].front().left);
  return least;
}

Nanoseconds Card::next_event() const {
  return is_running_ ? std::min(now_ + shortest(), slice_end_) : UINT64_MAX;
}

void Card::run_until(Nanoseconds time, const std::function<void(std::size_t, const Done&)>& done,
                     const std::function<void(std::size_t, Nanoseconds, Nanoseconds)>& ran) {
  while (is_running_ && now_ < time) {
    const Nanoseconds stop = std::min({now_ + shortest(), slice_end_, time});
    ran(running_.front(), now_, stop);
    const Nanoseconds passed = stop - now_;
    now_ = stop;
    for (const std::size_t stream : running_) {
      Item& item = streams_[stream].front();
      item.left -= passed;
      if (item.left != 0) continue;
      const Done finished = {item.id, item.reached - 1, now_};
      streams_[stream].pop_front();
      done(stream, finished);
    }
    if (!has_work(current_) || now_ >= slice_end_) {
      choose();
    } else {
      start();
    }
  }
  if (!is_running_) now_ = std::max(now_, time);
}

}  // namespace hami::bench
