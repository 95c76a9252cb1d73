#include "bench/share/card.h"

#include <algorithm>

namespace hami::bench {

void Card::enqueue(std::size_t process, Work work) {
  queues_[process].push_back({work.id, work.length, 0});
  if (!is_running_) choose();
}

// The next process in turn that has work.
bool Card::choose() {
  is_running_ = false;
  for (std::size_t i = 1; i <= queues_.size(); ++i) {
    const std::size_t candidate = (current_ + i) % queues_.size();
    if (queues_[candidate].empty()) continue;
    current_ = candidate;
    is_running_ = true;
    slice_end_ = now_ + slice_;
    return true;
  }
  return false;
}

Nanoseconds Card::next_event() const {
  if (!is_running_) return UINT64_MAX;
  return std::min(now_ + queues_[current_].front().left, slice_end_);
}

void Card::run_until(Nanoseconds time, const std::function<void(std::size_t, const Done&)>& done,
                     const std::function<void(std::size_t, Nanoseconds, Nanoseconds)>& ran) {
  while (is_running_ && now_ < time) {
    const std::size_t process = current_;
    Item& item = queues_[process].front();
    if (item.began == 0) item.began = now_ + 1;
    const Nanoseconds stop = std::min({now_ + item.left, slice_end_, time});
    ran(process, now_, stop);
    item.left -= stop - now_;
    now_ = stop;
    if (item.left == 0) {
      const Done finished = {item.id, item.began - 1, now_};
      queues_[process].pop_front();
      done(process, finished);
      if (queues_[process].empty()) choose();
    }
    if (is_running_ && now_ >= slice_end_) choose();
  }
  if (!is_running_) now_ = std::max(now_, time);
}

}  // namespace hami::bench
