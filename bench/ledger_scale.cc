// What a create costs at the ledger, by the number of leases on devices that it does not ask for.
//
//   ledger_scale DIRECTORY [RUNS]
//
// Prints one JSON line for each number: the median time, in microseconds, of taking the lock, loading what is
// on one device with five leases, making a lease durable, and ending it; and of loading all leases, as
// hamictl does.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "oci-config/base/text.h"
#include "runtime-shim/state/ledger.h"

namespace {

using hami::state::Lease;
using hami::state::Ledger;

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

Lease lease(const std::string& key, const std::string& device) {
  Lease out;
  out.key = key;
  out.container_id = key;
  out.holdings = {{"nvidia", device, hami::Bytes::mib(3000), hami::Percent{30}, false}};
  return out;
}

double median(std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

[[noreturn]] void die(const hami::Error& error) {
  std::fprintf(stderr, "ledger_scale: %s\n", error.line().c_str());
  std::exit(1);
}

void create_and_delete(const std::string& dir) {
  auto ledger = Ledger::open_for(dir, {{"nvidia", "GPU-0"}}, "new");
  if (!ledger) die(ledger.error());
  if (const auto done = ledger->commit(lease("new", "GPU-0")); !done) die(done.error());
  if (const auto done = ledger->release("new"); !done) die(done.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ledger_scale DIRECTORY [RUNS]\n");
    return 2;
  }
  const std::string dir = std::string(argv[1]) + "/ledger-scale";
  const int runs = argc > 2 ? std::max(1, std::atoi(argv[2])) : 100;
  std::filesystem::remove_all(dir);
  int made = 0;
  for (const int others : {0, 100, 1000, 10000}) {
    {
      auto ledger = Ledger::open(dir);
      if (!ledger) die(ledger.error());
      for (int i = 0; made == 0 && i < 5; ++i) {
        if (const auto done = ledger->commit(lease("own" + std::to_string(i), "GPU-0")); !done)
          die(done.error());
      }
      for (; made < others; ++made) {
        const std::string device = "GPU-" + std::to_string(1 + made % 7);
        if (const auto done = ledger->commit(lease("c" + std::to_string(made), device)); !done)
          die(done.error());
      }
    }
    std::vector<double> scoped;
    std::vector<double> whole;
    for (int i = 0; i < runs; ++i) {
      const double begin = now_us();
      create_and_delete(dir);
      scoped.push_back(now_us() - begin);
    }
    for (int i = 0; i < std::min(runs, 5); ++i) {
      const double begin = now_us();
      if (const auto ledger = Ledger::open(dir); !ledger) die(ledger.error());
      whole.push_back(now_us() - begin);
    }
    std::printf("{\"leases_on_other_devices\": %d, \"create_and_delete_us\": %.0f, \"load_all_us\": %.0f}\n",
                others, median(scoped), median(whole));
  }
  std::filesystem::remove_all(dir);
  return 0;
}
