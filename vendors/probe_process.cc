#include "vendors/probe_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxErrors = 4096;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make", "a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// In the child, between fork and exec: system calls only.
[[noreturn]] void become(const char* program, char* const* argv, int in, int out, int err, pid_t parent) {
  static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  static char locale[] = "LC_ALL=C";
  char* const env[] = {path, locale, nullptr};
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = in >= 0 ? in : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || ::chdir("/") != 0) ::_exit(127);
  ::dup2(input, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execve(program, argv, env);
  ::_exit(126);
}

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);  // its session: children of the library too
    ::kill(pid_, SIGKILL);   // it may not have made the session yet
    wait();
  }

  // True when it has ended by then; it may have closed its output and still hang.
  [[nodiscard]] bool ends_until(std::int64_t deadline) const {
    const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0U)));
    pollfd process{fd.get(), POLLIN, 0};
    while (fd) {
      const auto left = deadline - now_ms();
      if (left <= 0) return false;
      if (::poll(&process, 1, static_cast<int>(left)) > 0) return true;
    }
    return false;
  }

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

// One stream of the child.
struct Stream {
  UniqueFd fd;
  std::string text;
  std::size_t limit;
  bool overflow = false;

  void take() {
    char buffer[8192];
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) return fd.reset();
    const auto room = limit - text.size();
    overflow = overflow || static_cast<std::size_t>(n) > room;
    text.append(buffer, std::min(room, static_cast<std::size_t>(n)));
  }
};

enum class End { closed, timeout };

// Reads both streams until the child has closed its output or the time is over.
End collect(Stream& out, Stream& err, std::int64_t deadline) {
  while (out.fd || err.fd) {
    const auto left = deadline - now_ms();
    if (left <= 0) return End::timeout;
    if (out.overflow) return End::closed;
    pollfd streams[] = {{out.fd.get(), POLLIN, 0}, {err.fd.get(), POLLIN, 0}};
    const int ready = ::poll(streams, 2, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return End::timeout;
    if (ready <= 0) continue;
    if (streams[0].revents != 0) out.take();
    if (streams[1].revents != 0) err.take();
  }
  return End::closed;
}

std::string last_line(std::string_view text) {
  text = text::trim(text);
  const auto line = text::trim(text.substr(text.rfind('\n') + 1));
  return line.empty() ? std::string{} : text::cat({": ", text::quote(line)});
}

}  // namespace

Result<std::string> run_probe(const std::string& program, const std::vector<std::string>& args,
                              int timeout_ms, int input) {
  if (::access(program.c_str(), X_OK) != 0) {
    auto error = fail_errno("run", program, "install it, or name it in the configuration");
    error.value().code = Errc::not_found;
    return error;
  }
  HAMI_TRY(Pipe out, make_pipe());
  HAMI_TRY(Pipe err, make_pipe());
  std::vector<std::string> words{program};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::int64_t deadline = now_ms() + timeout_ms;
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("start", program);
  if (pid == 0) become(program.c_str(), argv.data(), input, out.write.get(), err.write.get(), parent);
  Child child(pid);
  out.write.reset();
  err.write.reset();

  Stream output{std::move(out.read), {}, kMaxProbeOutput};
  Stream errors{std::move(err.read), {}, kMaxErrors};
  const auto said = [&](std::string_view what) {
    return fail(Errc::io, text::cat({"run ", text::quote(program), ": ", what, last_line(errors.text)}));
  };
  const End end = collect(output, errors, deadline);
  if (output.overflow) return said("it prints too much");
  if (end == End::timeout || !child.ends_until(deadline)) {
    return said(
        text::cat({"no answer within ", text::number(static_cast<std::uint64_t>(timeout_ms)), " ms"}));
  }
  const int status = child.wait();
  if (WIFSIGNALED(status)) return said(text::cat({"it crashed (", ::strsignal(WTERMSIG(status)), ")"}));
  if (WEXITSTATUS(status) != 0) {
    return said(text::cat({"exit status ", text::number(static_cast<std::uint64_t>(WEXITSTATUS(status)))}));
  }
  return std::move(output.text);
}

}  // namespace hami::vendors
