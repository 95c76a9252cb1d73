// Time from spawn to exit of two commands, in turn: A B A B …, so that a drifting machine drifts for both.
//
//   spawn_overhead RUNS -- COMMAND_A... -- COMMAND_B...
//
// Prints one JSON line: medians in microseconds, the ratio of medians, the median of the pairwise
// differences, and the difference of the lower quartiles, which other programs of the machine disturb least.
// Output of the commands is discarded; their exit status must be the same in every run.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

extern char** environ;

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "spawn_overhead: %s\n", what);
  std::exit(1);
}

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double run(const std::vector<char*>& argv, int& status) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  const double begin = now_us();
  pid_t pid = 0;
  if (posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0)
    die("cannot start the command");
  if (waitpid(pid, &status, 0) != pid) die("cannot wait for the command");
  const double end = now_us();
  posix_spawn_file_actions_destroy(&actions);
  return end - begin;
}

double quantile(std::vector<double> values, std::size_t numerator, std::size_t denominator) {
  std::sort(values.begin(), values.end());
  return values[values.size() * numerator / denominator];
}

double median(const std::vector<double>& values) { return quantile(values, 1, 2); }

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> commands[2];
  int side = -1;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--" && side < 1) {
      ++side;
    } else if (side >= 0) {
      commands[side].push_back(argv[i]);
    }
  }
  if (commands[0].empty() || commands[1].empty()) die("usage: spawn_overhead RUNS -- A... -- B...");
  for (auto& command : commands) command.push_back(nullptr);

  const int runs = std::max(3, std::atoi(argv[1]));
  std::vector<double> times[2];
  std::vector<double> differences;
  int expected[2] = {0, 0};
  for (int i = 0; i < runs + 3; ++i) {
    double pair[2];
    for (std::size_t k = 0; k < 2; ++k) {
      int status = 0;
      pair[k] = run(commands[k], status);
      if (i == 0) expected[k] = status;
      if (status != expected[k]) die("the exit status changed between runs");
    }
    if (i < 3) continue;  // warm up
    for (std::size_t k = 0; k < 2; ++k) times[k].push_back(pair[k]);
    differences.push_back(pair[0] - pair[1]);
  }
  const double a = median(times[0]);
  const double b = median(times[1]);
  std::printf(
      "{\"runs\":%d,\"a_us\":%.1f,\"b_us\":%.1f,\"ratio\":%.3f,\"added_us\":%.1f,"
      "\"added_low_us\":%.1f}\n",
      runs, a, b, a / b, median(differences), quantile(times[0], 1, 4) - quantile(times[1], 1, 4));
  return 0;
}
