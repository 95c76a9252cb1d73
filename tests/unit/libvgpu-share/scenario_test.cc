// The controller on a simulated card. What bench/shares shows in a table holds here as a condition.
#include "bench/share/scenario.h"

#include <gtest/gtest.h>

namespace hami::bench {
namespace {

struct Case {
  Nanoseconds kernel;
  bool synchronises;
};

class LoneContainer : public testing::TestWithParam<Case> {};

TEST_P(LoneContainer, GetsItsShareWithinTwoPointsWhateverTheLimit) {
  for (const unsigned percent : {1U, 5U, 10U, 30U, 50U, 80U, 99U}) {
    Scenario scenario;
    // Long enough for one kernel more or less to make no point.
    scenario.length = std::max(4 * kS, kS + 60 * GetParam().kernel * 100 / percent);
    scenario.tenants = {
        {.percent = percent,
         .pattern = {.kernels = {GetParam().kernel}, .synchronises = GetParam().synchronises}}};
    const TenantResult result = run(scenario, Method::ours).tenants[0];
    // A program that waits for every kernel cannot keep the card busier than its own pace.
    const double possible = GetParam().synchronises ? 100.0 * static_cast<double>(GetParam().kernel) /
                                                          static_cast<double>(GetParam().kernel + 4 * kUs)
                                                    : 100;
    EXPECT_NEAR(result.share, std::min<double>(percent, possible), 2) << percent << " %";
    const double one_kernel = 100.0 * static_cast<double>(GetParam().kernel) / (100.0 * kMs);
    EXPECT_LE(result.worst_window, std::max(1.5 * percent, percent + one_kernel)) << percent << " %";
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, LoneContainer,
                         testing::Values(Case{5 * kUs, false}, Case{5 * kUs, true}, Case{100 * kUs, false},
                                         Case{kMs, false}, Case{kMs, true}, Case{20 * kMs, false},
                                         Case{500 * kMs, false}, Case{500 * kMs, true}));

TEST(Container, ItsProcessesShareOneLimit) {
  for (const unsigned processes : {2U, 8U, 64U}) {
    Scenario scenario;
    scenario.tenants = {{.percent = 30, .processes = processes, .pattern = {.kernels = {200 * kUs}}}};
    EXPECT_NEAR(run(scenario, Method::ours).tenants[0].share, 30, 2) << processes;
  }
}

TEST(Container, ItsStreamsShareOneLimitWhetherTheirKernelsFillTheCardOrNot) {
  for (const double room : {1.0, 0.25}) {
    for (const Nanoseconds kernel : {20 * kUs, kMs, 20 * kMs}) {
      for (const unsigned percent : {10U, 50U, 80U, 99U}) {
        Scenario scenario;
        scenario.length = 4 * kS;
        scenario.tenants = {
            {.percent = percent, .threads = 4, .pattern = {.kernels = {kernel}, .room = room}}};
        EXPECT_NEAR(run(scenario, Method::ours).tenants[0].share, percent, 2)
            << room << " of the card, " << kernel << " ns, " << percent << " %";
      }
    }
  }
}

TEST(Container, ItsOverlappingStreamsPayForTheTimeTheyUseTheCardTogether) {
  for (const Nanoseconds kernel : {100 * kUs, 5 * kMs}) {
    Scenario scenario;
    scenario.tenants = {{.percent = 30, .threads = 4, .pattern = {.kernels = {kernel}}},
                        {.percent = 70, .pattern = {.kernels = {kernel}}}};
    const Result result = run(scenario, Method::ours);
    // Of short ones few are measured, and those wait for others that are not.
    EXPECT_NEAR(result.tenants[0].share, 30, kernel < kMs ? 3 : 2) << kernel;
    EXPECT_NEAR(result.tenants[1].share, 70, 2) << kernel;
  }
}

TEST(Container, SeveralThreadsBesideANeighbourGetTheirShare) {
  for (const unsigned threads : {2U, 4U}) {
    for (const unsigned percent : {50U, 70U}) {
      Scenario scenario;
      scenario.tenants = {{.percent = percent, .threads = threads, .pattern = {.kernels = {kMs}}},
                          {.percent = 100 - percent, .pattern = {.kernels = {kMs}}}};
      const Result result = run(scenario, Method::ours);
      EXPECT_NEAR(result.tenants[0].share, percent, 2) << threads << " threads";
      EXPECT_NEAR(result.tenants[1].share, 100 - percent, 2) << threads << " threads";
    }
  }
}

TEST(Container, MixedKernelsAndBurstsStayWithinTheLimit) {
  Scenario scenario;
  scenario.tenants = {
      {.percent = 30, .pattern = {.kernels = {5 * kUs, 3 * kMs, 80 * kUs, 12 * kMs, 20 * kUs}}}};
  EXPECT_NEAR(run(scenario, Method::ours).tenants[0].share, 30, 2);

  scenario.tenants[0].pattern.burst_every = 2 * kS;
  const TenantResult bursts = run(scenario, Method::ours).tenants[0];
  EXPECT_LE(bursts.worst_window, 45 + 12);
}

TEST(Container, AloneOnItsCardUsesAllOfItUntilAnotherComes) {
  Scenario scenario;
  scenario.is_forced = false;
  scenario.length = 6 * kS;
  scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kMs}}},
                      {.percent = 50, .pattern = {.kernels = {kMs}}, .begins = 3 * kS}};
  const TenantResult first = run(scenario, Method::ours).tenants[0];
  EXPECT_GT(first.windows[20], 98);
  for (std::size_t i = 32; i < 50; ++i) EXPECT_LE(first.windows[i], 46) << i;
}

struct Pair {
  unsigned first;
  unsigned second;
  Nanoseconds kernel;
};

class TwoContainers : public testing::TestWithParam<Pair> {};

TEST_P(TwoContainers, EachGetsItsShareWhileBothAreBusy) {
  Scenario scenario;
  scenario.tenants = {{.percent = GetParam().first, .pattern = {.kernels = {GetParam().kernel}}},
                      {.percent = GetParam().second, .pattern = {.kernels = {GetParam().kernel}}}};
  const Result result = run(scenario, Method::ours);
  EXPECT_NEAR(result.tenants[0].share, GetParam().first, 2);
  EXPECT_NEAR(result.tenants[1].share, GetParam().second, 2);
  EXPECT_GE(result.jain, 0.99);
}

INSTANTIATE_TEST_SUITE_P(Pairs, TwoContainers,
                         testing::Values(Pair{30, 70, 200 * kUs}, Pair{30, 70, kMs}, Pair{30, 70, 5 * kMs},
                                         Pair{30, 70, 20 * kMs}, Pair{10, 90, 200 * kUs}, Pair{10, 90, kMs},
                                         Pair{10, 90, 5 * kMs}, Pair{50, 50, 200 * kUs}, Pair{50, 50, kMs},
                                         Pair{50, 50, 5 * kMs}, Pair{50, 50, 20 * kMs}));

TEST(Neighbour, WithoutALimitKeepsWhatALimitedOneLeaves) {
  for (const Nanoseconds kernel : {kMs, 5 * kMs}) {
    Scenario scenario;
    scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kernel}}},
                        {.pattern = {.kernels = {kernel}}}};
    const Result result = run(scenario, Method::ours);
    EXPECT_NEAR(result.tenants[0].share, 30, 2);
    EXPECT_GE(result.tenants[1].share, 0.98 * 70);
  }
}

TEST(Priority, AMoreImportantTaskTakesTheCardAndGivesItBack) {
  Scenario scenario;
  scenario.is_forced = false;
  scenario.length = 6 * kS;
  scenario.tenants = {
      {.pattern = {.kernels = {2 * kMs}}, .priority = 1},
      {.pattern = {.kernels = {kMs}}, .begins = 2 * kS, .ends = 4 * kS, .priority = 0},
  };
  const Result result = run(scenario, Method::ours);
  const std::vector<float>& low = result.tenants[0].windows;
  EXPECT_GT(low[15], 98);
  EXPECT_LT(low[21], 8) << "the floor is 5 %";
  EXPECT_GT(low[30], 2) << "it does not starve";
  EXPECT_GT(result.tenants[1].windows[30], 92);
  EXPECT_GT(low[42], 98) << "back within 200 ms";
}

TEST(Priority, AMoreImportantTaskWaitsForAtMostOneKernelOfAnother) {
  constexpr Nanoseconds kTurn = 2 * kMs;  // of the simulated card
  for (const Nanoseconds lesser : {100 * kUs, kMs, 10 * kMs, 40 * kMs, 200 * kMs}) {
    for (const Nanoseconds kernel : {100 * kUs, kMs}) {
      Scenario scenario;
      scenario.is_forced = false;
      scenario.length = 4 * kS;
      scenario.tenants = {
          {.pattern = {.kernels = {lesser}}, .priority = 1},
          {.pattern = {.kernels = {kernel}, .synchronises = true}, .begins = 2 * kS, .priority = 0},
      };
      EXPECT_LE(run(scenario, Method::ours).tenants[1].longest_delay, std::max(lesser, kTurn))
          << kernel << " beside " << lesser;
    }
  }
}

TEST(Priority, OfThreeLevelsTheHighestHasTheCardAndTheOthersTheirFloor) {
  Scenario scenario;
  scenario.is_forced = false;
  scenario.length = 8 * kS;
  scenario.floor = vgpu::share::Share{100};
  scenario.tenants = {
      {.pattern = {.kernels = {kMs}}, .priority = 3},
      {.pattern = {.kernels = {kMs}}, .begins = 2 * kS, .priority = 2},
      {.pattern = {.kernels = {kMs}, .synchronises = true}, .begins = 4 * kS, .ends = 6 * kS, .priority = 0},
  };
  const Result result = run(scenario, Method::ours);
  const auto windows = [&](std::size_t tenant, std::size_t at) { return result.tenants[tenant].windows[at]; };
  EXPECT_GT(windows(0, 15), 98);
  EXPECT_NEAR(windows(0, 30), 10, 2);
  EXPECT_NEAR(windows(1, 30), 90, 2);
  EXPECT_NEAR(windows(0, 50), 10, 2);
  EXPECT_NEAR(windows(1, 50), 10, 2);
  EXPECT_GT(windows(2, 50), 77);
  EXPECT_NEAR(windows(1, 75), 90, 2) << "it resumes when the highest has ended";
  EXPECT_LE(result.tenants[2].longest_delay, 4 * kMs) << "a turn of each of the others";
}

TEST(Container, ThatUsedTheWholeCardGivesItBackWithin100Milliseconds) {
  for (const Nanoseconds kernel : {100 * kUs, kMs, 5 * kMs}) {
    Scenario scenario;
    scenario.is_forced = false;
    scenario.length = 5 * kS;
    scenario.tenants = {{.percent = 30, .pattern = {.kernels = {kernel}}},
                        {.percent = 70, .pattern = {.kernels = {kernel}}, .begins = 3 * kS}};
    const std::vector<float> windows = run(scenario, Method::ours).tenants[0].windows;
    EXPECT_GT(windows[29], 98) << kernel;
    for (std::size_t i = 31; i < windows.size(); ++i) EXPECT_LE(windows[i], 45) << kernel << " window " << i;
  }
}

// Shows that the bench's other controller is the one that was measured: it lets 1 ms kernels at 50 % run
// at 92.
TEST(HamiController, OvershootsAsMeasured) {
  Scenario scenario;
  scenario.card = kCards[3];
  scenario.length = 12 * kS;
  scenario.tenants = {{.percent = 50, .pattern = {.kernels = {kMs}}}};
  EXPECT_NEAR(run(scenario, Method::hami).tenants[0].share, 91.6, 6);
}

}  // namespace
}  // namespace hami::bench
