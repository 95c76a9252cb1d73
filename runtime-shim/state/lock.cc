#include "runtime-shim/state/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "oci-config/base/text.h"

namespace hami::state {

namespace {

extern "C" void interrupt_only(int /*signal*/) {}

// Interrupts the system call this thread waits in, after a time and then again and again: the first signal
// may come just before the wait begins. Everything about the signal is put back at the end, because this
// process becomes the low-level runtime.
class Interrupter {
 public:
  explicit Interrupter(int after_ms) {
    struct sigaction action {};
    action.sa_handler = interrupt_only;  // without SA_RESTART
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGALRM, &action, &old_action_);
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, &old_mask_);

    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) return;
    running_ = true;
    itimerspec times{};
    times.it_value = {after_ms / 1000, after_ms % 1000 * 1000000L + 1};
    times.it_interval = {0, 20 * 1000000L};
    ::timer_settime(timer_, 0, &times, nullptr);
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;
  ~Interrupter() {
    const int saved = errno;
    if (running_) ::timer_delete(timer_);
    ::sigaction(SIGALRM, &old_action_, nullptr);
    ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
    errno = saved;
  }

 private:
  struct sigaction old_action_ {};
  sigset_t old_mask_{};
  timer_t timer_{};
  bool running_ = false;
};

}  // namespace

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Result<UniqueFd> lock_file(const std::string& path, int timeout_ms) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno("open the ledger's lock", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;

  const std::int64_t deadline = monotonic_ms() + timeout_ms;
  const Interrupter interrupter(timeout_ms);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno("lock", path);
    if (monotonic_ms() < deadline) continue;  // a signal of somebody else
    return fail(Errc::io,
                text::cat({"lock ", text::quote(path), ": held by another process for ",
                           std::to_string(timeout_ms), " ms"}),
                "see which one with fuser");
  }
  return fd;
}

}  // namespace hami::state
