#include "hook/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"

namespace hami::hook {

namespace {

constexpr int kReported = 111;  // exit status of a child that wrote its error into the pipe

[[noreturn]] void run_and_exit(const std::function<Result<>()>& body, int report, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(EXIT_FAILURE);  // the hook died before the line above
  const Result<> result = body();
  if (result) ::_exit(EXIT_SUCCESS);
  // Shorter than the pipe's buffer, so one write takes it all.
  const std::string message = result.error().line().substr(0, 2048);
  const ssize_t written = ::write(report, message.data(), message.size());
  ::_exit(written > 0 ? kReported : EXIT_FAILURE);
}

// True when the process ended within the time.
bool wait_for_end(pid_t pid, int seconds) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return false;
  pollfd event{process.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&event, 1, seconds * 1000);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

std::string read_report(int report) {
  char buffer[2048];
  const ssize_t n = ::read(report, buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string("it did not say why");
}

Result<> outcome(int status, int report) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kReported) return fail(Errc::io, read_report(report));
  const bool exited = WIFEXITED(status);
  const int number = exited ? WEXITSTATUS(status) : WTERMSIG(status);
  return fail(Errc::io, text::cat({"a child process ended with ", exited ? "status " : "signal ",
                                   text::number(static_cast<std::uint64_t>(number))}));
}

}  // namespace

Result<> run_in_child(const std::function<Result<>()>& body, int seconds) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make", "a pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("start", "a child process");
  if (child == 0) run_and_exit(body, writer.get(), parent);
  writer.reset();

  const bool in_time = wait_for_end(child, seconds);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("wait for", "a child process");
  }
  if (!in_time)
    return fail(Errc::io, text::cat({"a child process did not end within ",
                                     text::number(static_cast<std::uint64_t>(seconds)), " seconds"}));
  return outcome(status, reader.get());
}

}  // namespace hami::hook
