// How long creates wait for each other at the ledger.
//
//   ledger_wait DIRECTORY [CREATES] [REPEATS] [KILLED]
//
// In each repeat so many processes (200) start at once; each looks at the leases on its card (one of
// eight), has its turn at the ledger's lock and makes a lease durable, as a create does. KILLED more (0) do
// the same and get SIGKILL at a random moment. Prints one JSON line: in milliseconds, how long the process of
// all repeats waited that waited longest until it had the lock, and the longest of half and of 99 in 100 of
// them; and how long a repeat took.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/ledger.h"
#include "runtime-shim/state/liveness.h"

namespace {

using hami::state::Lease;
using hami::state::Ledger;
using hami::state::Scope;

constexpr int kMostCreates = 4096;

double now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

struct Shared {
  std::atomic<bool> go{false};
  double waited[kMostCreates]{};
};

[[noreturn]] void create(const std::string& dir, int number, Shared& shared) {
  const std::string key = "c" + std::to_string(number);
  const std::string card = "GPU-" + std::to_string(number % 8);
  while (!shared.go.load()) ::usleep(200);
  const double begin = now_ms();
  const Scope scope{dir, std::vector<hami::state::DeviceName>{{"nvidia", card}}, key, 60'000};
  const auto done = hami::state::in_turn(scope, [&](Ledger& ledger) -> hami::Result<> {
    if (number < kMostCreates) shared.waited[number] = now_ms() - begin;
    Lease lease;
    lease.key = lease.container_id = key;
    lease.boot_id = hami::state::boot_id();
    lease.creator_pid = ::getppid();  // it lives as long as the repeat
    lease.creator_start = hami::state::start_time(lease.creator_pid).value_or(0);
    lease.holdings = {{"nvidia", card, hami::Bytes::mib(100), hami::Percent{1}, false}};
    return ledger.commit(lease);
  });
  ::_exit(done ? 0 : 1);
}

// False when a create that nobody killed failed.
bool repeat(const std::string& dir, int creates, int killed, Shared& shared, std::mt19937& random) {
  std::filesystem::remove_all(dir);
  shared.go = false;
  std::vector<pid_t> pids;
  for (int i = 0; i < creates + killed; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) create(dir, i < creates ? i : kMostCreates + i, shared);
    pids.push_back(pid);
  }
  shared.go = true;
  for (int i = 0; i < killed; ++i) {
    ::usleep(static_cast<useconds_t>(random() % 2000));
    ::kill(pids[static_cast<std::size_t>(creates + i)], SIGKILL);
  }
  bool good = true;
  for (int i = 0; i < creates + killed; ++i) {
    int status = 0;
    ::waitpid(pids[static_cast<std::size_t>(i)], &status, 0);
    good = good && (i >= creates || status == 0);
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int usual) { return argc > at ? std::atoi(argv[at]) : usual; };
  const int creates = std::min(number(2, 200), kMostCreates);
  const int repeats = number(3, 20);
  if (argc < 2 || creates < 1 || repeats < 1) {
    std::fprintf(stderr, "usage: ledger_wait DIRECTORY [CREATES] [REPEATS] [KILLED]\n");
    return 2;
  }
  const std::string dir = std::string(argv[1]) + "/ledger-wait";
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto& shared = *new (memory) Shared;
  std::mt19937 random(5);
  std::vector<double> waits;
  double longest = 0;
  for (int i = 0; i < repeats; ++i) {
    const double begin = now_ms();
    if (!repeat(dir, creates, number(4, 0), shared, random)) {
      std::fprintf(stderr, "ledger_wait: a create failed\n");
      return 1;
    }
    longest = std::max(longest, now_ms() - begin);
    waits.insert(waits.end(), shared.waited, shared.waited + creates);
  }
  std::filesystem::remove_all(dir);
  std::sort(waits.begin(), waits.end());
  std::printf(
      "{\"creates\": %d, \"repeats\": %d, \"half_ms\": %.0f, \"99_of_100_ms\": %.0f, \"longest_ms\": %.0f, "
      "\"repeat_ms\": %.0f}\n",
      creates, repeats, waits[waits.size() / 2], waits[waits.size() * 99 / 100], waits.back(), longest);
  return 0;
}
