// What runs on the simulated card, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/share/card.h"
#include "libvgpu/share/policy.h"

namespace hami::bench {

inline constexpr Nanoseconds kUs = 1'000;
inline constexpr Nanoseconds kMs = 1'000'000;
inline constexpr Nanoseconds kS = 1'000'000'000;

struct CardModel {
  const char* name;
  unsigned multiprocessors;
  unsigned threads;  // per multiprocessor
};
inline constexpr CardModel kCards[] = {{"T4", 40, 1024},
                                       {"A100", 108, 2048},
                                       {"RTX 4090", 128, 1536},
                                       {"H100", 132, 2048},
                                       {"188 SMs", 188, 1536}};

// How a program uses the card.
struct Pattern {
  std::vector<Nanoseconds> kernels;  // launched in turn
  bool synchronises = false;         // after each launch
  unsigned queue = 1024;             // launches the driver takes ahead
  Nanoseconds host = 4 * kUs;        // time on the host per launch
  double room = 1;                   // part of the card that a kernel fills
  Nanoseconds burst_every = 0;       // 0: always busy; else works for half of this time, then idles
};

// One container.
struct Tenant {
  unsigned percent = 0;  // 0: no core limit
  unsigned processes = 1;
  unsigned threads = 1;  // of each process, with a stream each
  Pattern pattern;
  Nanoseconds begins = 0;
  Nanoseconds ends = UINT64_MAX;
  int priority = 1;
};

enum class Method { ours, hami };

struct Scenario {
  std::string name;
  CardModel card = kCards[1];
  std::vector<Tenant> tenants;
  Nanoseconds length = 8 * kS;
  bool has_board = true;                                  // containers see one another's use
  bool is_forced = true;                                  // limits hold for a lone container too
  vgpu::share::Share floor = vgpu::share::kDefaultFloor;  // of tasks that more important ones push aside
};

struct TenantResult {
  double share = 0;         // percent of the card's time, from the first second on
  double worst_window = 0;  // percent, the busiest 100 ms after the first second
  std::uint64_t kernels = 0;
  Nanoseconds longest_delay = 0;  // from asking to launch to the end, beyond a kernel's own length
  std::vector<float> windows;     // percent per 100 ms
};

struct Result {
  std::vector<TenantResult> tenants;
  double card = 0;  // percent of the time in which anybody ran
  double jain = 1;  // of share over wanted share
};

Result run(const Scenario& scenario, Method method);

}  // namespace hami::bench
