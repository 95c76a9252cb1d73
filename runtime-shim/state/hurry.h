// Who has the ledger's lock is in everybody's way: it runs before those who only prepare to ask for it, and
// so does who wakes up with it.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace hami::state {

// First on the processor while it lives. Everything is as before at the end, because hami-runtime becomes the
// low-level runtime. Without root's rights nothing happens.
class Hurry {
 public:
  static Hurry start() {
    Hurry hurry;
    errno = 0;
    const int before = ::getpriority(PRIO_PROCESS, 0);
    if (errno == 0 && before > kFirst && ::setpriority(PRIO_PROCESS, 0, kFirst) == 0) hurry.before_ = before;
    return hurry;
  }
  Hurry() = default;
  Hurry(Hurry&& other) noexcept : before_(std::exchange(other.before_, std::nullopt)) {}
  Hurry& operator=(Hurry&& other) noexcept {
    std::swap(before_, other.before_);
    return *this;
  }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;
  ~Hurry() {
    const int saved = errno;
    if (before_) ::setpriority(PRIO_PROCESS, 0, *before_);
    errno = saved;
  }

 private:
  static constexpr int kFirst = -20;
  std::optional<int> before_;
};

}  // namespace hami::state
