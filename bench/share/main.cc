// Runs the scenarios of the compute share on the simulated card, with libvgpu's controller and with
// HAMi-core's law, and prints one JSON line per run. bench/shares makes the table and the plot.
#include <algorithm>
#include <cstdio>

#include "bench/share/scenario.h"

namespace hami::bench {
namespace {

constexpr unsigned kLimits[] = {1, 5, 10, 30, 50, 80, 99};
constexpr CardModel kH100 = kCards[3];

void print(const Scenario& scenario, Method method) {
  const Result result = run(scenario, method);
  std::printf(
      "{\"scenario\":\"%s\",\"card\":\"%s\",\"method\":\"%s\",\"jain\":%.4f,\"busy\":%.2f,\"tenants\":[",
      scenario.name.c_str(), scenario.card.name, method == Method::ours ? "libvgpu" : "hami-core",
      result.jain, result.card);
  for (std::size_t i = 0; i < result.tenants.size(); ++i) {
    const TenantResult& tenant = result.tenants[i];
    std::printf("%s{\"limit\":%u,\"share\":%.2f,\"worst\":%.1f,\"windows\":[", i == 0 ? "" : ",",
                scenario.tenants[i].percent, tenant.share, tenant.worst_window);
    for (std::size_t k = 0; k < std::min<std::size_t>(tenant.windows.size(), 80); ++k) {
      std::printf("%s%.1f", k == 0 ? "" : ",", static_cast<double>(tenant.windows[k]));
    }
    std::printf("]}");
  }
  std::printf("]}\n");
}

void print_both(const Scenario& scenario) {
  print(scenario, Method::ours);
  print(scenario, Method::hami);
}

std::string name_of(Nanoseconds kernel) {
  return kernel < kMs ? std::to_string(kernel / kUs) + " us" : std::to_string(kernel / kMs) + " ms";
}

void run_alone(const CardModel& card, Nanoseconds kernel, bool synchronises) {
  for (const unsigned percent : kLimits) {
    Scenario scenario;
    scenario.name = name_of(kernel) + (synchronises ? ", synchronised" : "");
    scenario.card = card;
    scenario.length = std::max(8 * kS, kS + 40 * kernel * 100 / percent);
    scenario.tenants = {{.percent = percent, .pattern = {.kernels = {kernel}, .synchronises = synchronises}}};
    print_both(scenario);
  }
}

void run_patterns() {
  Scenario scenario;
  scenario.card = kH100;
  scenario.name = "mixed, 5 us to 12 ms";
  scenario.tenants = {
      {.percent = 30, .pattern = {.kernels = {5 * kUs, 3 * kMs, 80 * kUs, 12 * kMs, 20 * kUs}}}};
  print_both(scenario);
  scenario.name = "1 ms, 1 s on, 1 s off";
  scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kMs}, .burst_every = 2 * kS}}};
  print_both(scenario);
  for (const unsigned processes : {2U, 8U, 64U}) {
    scenario.name = "200 us, " + std::to_string(processes) + " processes";
    scenario.tenants = {{.percent = 30, .processes = processes, .pattern = {.kernels = {200 * kUs}}}};
    print_both(scenario);
  }
  for (const double room : {1.0, 0.25}) {
    scenario.name = room < 1 ? "1 ms on a quarter, 4 threads" : "1 ms, 4 threads";
    scenario.tenants = {{.percent = 30, .threads = 4, .pattern = {.kernels = {kMs}, .room = room}}};
    print_both(scenario);
  }
}

// One container with several threads or processes, beside one with a single thread.
void run_busy_beside_one() {
  struct Form {
    unsigned threads;
    unsigned processes;
  };
  for (const Form form : {Form{2, 1}, Form{4, 1}, Form{1, 2}, Form{1, 4}, Form{2, 2}}) {
    for (const unsigned first : {10U, 30U, 50U, 70U, 90U}) {
      for (const Nanoseconds kernel : {100 * kUs, kMs, 5 * kMs}) {
        Scenario scenario;
        scenario.card = kH100;
        scenario.name = std::to_string(form.threads) + " threads x " + std::to_string(form.processes) +
                        " processes beside one, " + name_of(kernel);
        scenario.tenants = {{.percent = first,
                             .processes = form.processes,
                             .threads = form.threads,
                             .pattern = {.kernels = {kernel}}},
                            {.percent = 100 - first, .pattern = {.kernels = {kernel}}}};
        print_both(scenario);
      }
    }
  }
}

void run_pairs() {
  Scenario scenario;
  scenario.card = kH100;
  for (const unsigned first : {10U, 30U, 50U}) {
    for (const Nanoseconds kernel : {100 * kUs, kMs, 5 * kMs}) {
      scenario.name = "two containers, " + name_of(kernel);
      scenario.tenants = {{.percent = first, .pattern = {.kernels = {kernel}}},
                          {.percent = 100 - first, .pattern = {.kernels = {kernel}}}};
      print_both(scenario);
    }
  }
  scenario.name = "30 % beside no limit, 1 ms";
  scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kMs}}}, {.pattern = {.kernels = {kMs}}}};
  print_both(scenario);
  scenario.name = "alone until 3 s, 1 ms";
  scenario.is_forced = false;
  scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kMs}}},
                      {.percent = 50, .pattern = {.kernels = {kMs}}, .begins = 3 * kS}};
  print(scenario, Method::ours);
}

}  // namespace
}  // namespace hami::bench

// Without a word all scenarios, with "pairs" those of several containers.
int main(int argc, char**) {
  using namespace hami::bench;
  if (argc > 1) {
    run_pairs();
    run_busy_beside_one();
    return 0;
  }
  for (const CardModel& card : kCards) {
    for (const Nanoseconds kernel : {100 * kUs, kMs, 20 * kMs}) run_alone(card, kernel, false);
  }
  run_alone(kH100, 5 * kUs, false);
  run_alone(kH100, 500 * kMs, false);
  run_alone(kH100, kMs, true);
  run_patterns();
  run_pairs();
  run_busy_beside_one();
  return 0;
}
