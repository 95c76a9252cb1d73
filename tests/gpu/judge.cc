// gpu-judge [OPTIONS] -- COMMAND...: runs a program that is held by a slice, and compares with NVML at each
// of its "at NAME USED LIMIT" lines: what its processes really hold must be what they say, and never above
// the limit.
//   --memory MIB --cores PERCENT --priority N --forced --cards DIR   the slice; --library FILE: libvgpu.so
//   --outside          COMMAND enters a container by itself, which an engine makes; GPU_SUITE_RUN must reach
//   it
//   --slack MIB        how far the two may be apart (default 0); what is above the limit may not be more
//   either
//   --watch            prints "utilization PERCENT" at the end: the mean of what NVML said of the card
//   meanwhile
// Exit status: the program's, or 1 when NVML disagreed. 2: wrong words. 77: no card here.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "tests/gpu/slice.h"
#include "tests/gpu/witness.h"

namespace hami::gpu {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr int kSkipped = 77;

struct Options {
  Share share;
  std::uint64_t slack = 0;
  bool is_outside = false;
  bool is_watching = false;
  char** command = nullptr;
};

bool* flag_of(const std::string& word, Options& options) {
  if (word == "--outside") return &options.is_outside;
  if (word == "--forced") return &options.share.is_forced;
  return word == "--watch" ? &options.is_watching : nullptr;
}

bool read_options(char** argv, Options& options) {
  for (++argv; *argv != nullptr; ++argv) {
    const std::string word = *argv;
    if (word == "--") {
      options.command = argv + 1;
      return *options.command != nullptr;
    }
    bool* flag = flag_of(word, options);
    if (flag != nullptr) {
      *flag = true;
      continue;
    }
    const char* value = *++argv;
    if (value == nullptr) return false;
    const std::uint64_t number = std::strtoull(value, nullptr, 10);
    if (word == "--memory") {
      options.share.memory = number * kMiB;
    } else if (word == "--cores") {
      options.share.cores = static_cast<std::uint32_t>(number);
    } else if (word == "--priority") {
      options.share.priority = static_cast<std::int32_t>(number);
    } else if (word == "--slack") {
      options.slack = number * kMiB;
    } else if (word == "--library") {
      options.share.library = std::filesystem::absolute(value);
    } else if (word == "--cards") {
      options.share.cards = value;
    } else {
      return false;
    }
  }
  return false;
}

class Judge {
 public:
  // limit: what the container was given.
  Judge(const CardWitness& card, std::string mark, std::uint64_t limit, std::uint64_t slack)
      : card_(card), mark_(std::move(mark)), limit_(limit), slack_(slack), before_(card.used()) {}

  void judge(const char* name, std::uint64_t used, std::uint64_t limit) {
    std::uint64_t truth = 0;
    const bool is_named = card_.held_by(mark_, truth);
    if (!is_named) truth = card_.used() - std::min(card_.used(), before_);
    const std::uint64_t apart = truth > used ? truth - used : used - truth;
    const bool is_good = limit == limit_ && truth <= limit + slack_ && apart <= slack_;
    std::printf("%s at %s: NVML %.1f MiB%s, the slice says %.1f of %.1f MiB\n", is_good ? "ok" : "not ok",
                name, in_mib(truth), is_named ? "" : " (of the whole card, less what was in use before)",
                in_mib(used), in_mib(limit));
    std::fflush(stdout);
    if (!is_good) ++failures_;
  }
  int failures() const { return failures_; }

 private:
  static double in_mib(std::uint64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kMiB); }

  const CardWitness& card_;
  std::string mark_;
  std::uint64_t limit_;
  std::uint64_t slack_;
  std::uint64_t before_;
  int failures_ = 0;
};

// Asks NVML for the card's utilisation five times a second, as long as it lives.
class Watch {
 public:
  explicit Watch(const CardWitness& card) : thread_([this, &card] { look(card); }) {}
  ~Watch() {
    is_over_ = true;
    thread_.join();
    std::printf("utilization %.0f\n", looks_ != 0 ? sum_ / looks_ : 0.0);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  void look(const CardWitness& card) {
    for (; !is_over_; std::this_thread::sleep_for(std::chrono::milliseconds(200))) {
      const int percent = card.utilization();
      if (percent < 0) continue;
      sum_ += percent;
      ++looks_;
    }
  }

  std::atomic<bool> is_over_{false};
  double sum_ = 0;
  int looks_ = 0;
  std::thread thread_;
};

struct Child {
  pid_t pid = -1;
  int input = -1;
  std::FILE* output = nullptr;
};

Child start(const Options& options, const std::string& uuid, const std::string& folder) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid != 0) {
    close(input[0]);
    close(output[1]);
    return {pid, input[1], fdopen(output[0], "r")};
  }
  dup2(input[0], STDIN_FILENO);
  dup2(output[1], STDOUT_FILENO);
  if (!options.is_outside) {
    const std::string missing = enter_slice(options.share, uuid, folder);
    if (!missing.empty()) {
      std::fprintf(stderr, "gpu-judge: %s\n", missing.c_str());
      _exit(kSkipped);
    }
  }
  execvp(options.command[0], options.command);
  std::fprintf(stderr, "gpu-judge: cannot run %s\n", options.command[0]);
  _exit(127);
}

// Passes the program's lines on, and answers each that asks for judgement.
int follow(const Child& child, Judge& judge) {
  char* line = nullptr;
  std::size_t size = 0;
  while (getline(&line, &size, child.output) > 0) {
    char name[64];
    unsigned long long used = 0;
    unsigned long long limit = 0;
    if (std::sscanf(line, "at %63s %llu %llu", name, &used, &limit) != 3) {
      std::fputs(line, stdout);
      std::fflush(stdout);
      continue;
    }
    judge.judge(name, used, limit);
    if (write(child.input, "\n", 1) != 1) break;
  }
  std::free(line);
  int status = 0;
  waitpid(child.pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run(const Options& options) {
  CardWitness card;
  if (!card.open()) {
    std::fprintf(stderr, "gpu-judge: no NVIDIA driver with a card here\n");
    return kSkipped;
  }
  char folder[] = "/tmp/gpu-judge.XXXXXX";
  if (mkdtemp(folder) == nullptr || chmod(folder, 0755) != 0) return 1;
  const std::string mark = std::filesystem::path(folder).filename();
  setenv(kMark, mark.c_str(), 1);
  setenv("GPU_SUITE_JUDGED", "1", 1);
  Judge judge(card, mark, options.share.memory, options.slack);
  const Child child = start(options, card.uuid(), folder);
  int status = 0;
  {
    std::optional<Watch> watch;
    if (options.is_watching) watch.emplace(card);
    status = follow(child, judge);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return status != 0 ? status : judge.failures() != 0;
}

}  // namespace
}  // namespace hami::gpu

int main(int argc, char** argv) {
  hami::gpu::Options options;
  if (argc < 3 || !hami::gpu::read_options(argv, options) ||
      (!options.is_outside && options.share.library.empty())) {
    std::fprintf(stderr,
                 "usage: gpu-judge --memory MIB [--cores PERCENT] [--priority N] [--forced] [--cards DIR] "
                 "[--watch] [--slack MIB] --library FILE|--outside -- COMMAND...\n");
    return 2;
  }
  return hami::gpu::run(options);
}
