// The core limit under real programs: every way to launch, on the simulated card in real time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kLauncher = HAMI_BUILD_DIR "/tests/vgpu-launcher";

std::vector<std::string> launcher(const std::string& form, const std::string& microseconds,
                                  const std::string& seconds, const std::string& device = "0") {
  return {kLauncher, form, microseconds, seconds, device};
}

Environment core_limited(const SimNode& node, const std::string& percent,
                         const std::string& policy = "force") {
  return {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"},
          {"CUDA_DEVICE_SM_LIMIT", percent},
          {"GPU_CORE_UTILIZATION_POLICY", policy},
          {"CUDA_DEVICE_MEMORY_SHARED_CACHE", node.file("page")}};
}

double share_in(const std::string& text) {
  const auto at = text.find("share ");
  return at == std::string::npos ? -1 : std::atof(text.c_str() + at + 6);
}

// A machine that runs other tests takes time from the launching thread, never gives it any: a share may fall
// short, what it must not do is exceed the limit. How exact it is, the simulation with a virtual clock tells.
void expect_share(double share, double wanted) {
  EXPECT_LE(share, wanted + 2);
  EXPECT_GE(share, wanted * 0.7);
}

class PacedLaunch : public ::testing::TestWithParam<const char*> {};

TEST_P(PacedLaunch, IsHeldAtTheLimit) {
  const SimNode node;
  const Outcome result = node.run(launcher(GetParam(), "1000", "2.5"), core_limited(node, "30"));
  EXPECT_EQ(result.err, "");
  expect_share(share_in(result.out), 30);
}

INSTANTIATE_TEST_SUITE_P(Forms, PacedLaunch,
                         ::testing::Values("kernel", "kernel_ptsz", "ex", "ex_ptsz", "cooperative",
                                           "cooperative_ptsz", "grid", "graph", "graph_ptsz", "sync",
                                           "threads"));

// The costs of kernels come from the events of the driver: what NVML says late, wrong or not at all moves no
// share.
class PacedWithoutNvml : public ::testing::TestWithParam<const char*> {};

TEST_P(PacedWithoutNvml, IsHeldAtTheLimit) {
  const SimNode node(std::string(GetParam()) + "\n[gpu]\n");
  const Outcome result = node.run(launcher("kernel", "1000", "1.5"), core_limited(node, "30"));
  expect_share(share_in(result.out), 30);
}

INSTANTIATE_TEST_SUITE_P(Faults, PacedWithoutNvml,
                         ::testing::Values("utilization = 0", "process_list = 0", "pid_offset = 1000",
                                           "sample_period_ms = 2000"));

TEST(PacedProgram, TwoProcessesShareOneLimit) {
  const SimNode node;
  const pid_t first = node.start("first", launcher("kernel", "1000", "2.5"), core_limited(node, "40"));
  const Outcome second = node.run(launcher("kernel", "1000", "2.5"), core_limited(node, "40"));
  int status = 0;
  ::waitpid(first, &status, 0);
  const double one = share_in(node.read("first.out"));
  const double other = share_in(second.out);
  expect_share(one + other, 40);
  EXPECT_NEAR(one, other, 8);
}

TEST(PacedProgram, GetsTheDriversOwnLaunchFunctionsWithoutACoreLimit) {
  const SimNode node;
  EXPECT_THAT(node.run(launcher("where", "1", "1"), limited(node, "1g")).out, Not(HasSubstr("libvgpu")));
  EXPECT_THAT(node.run(launcher("where", "1", "1"), core_limited(node, "100")).out,
              Not(HasSubstr("libvgpu")));
  EXPECT_THAT(node.run(launcher("where", "1", "1"), core_limited(node, "30", "disable")).out,
              Not(HasSubstr("libvgpu")));
  EXPECT_THAT(node.run(launcher("where", "1", "1"), core_limited(node, "30")).out, Not(HasSubstr("driver")));
}

TEST(PacedProgram, ACaptureIsNotHeld) {
  const SimNode node;
  const Outcome result = node.run(launcher("capture", "20000", "1"), core_limited(node, "1"));
  const auto at = result.out.find("captured in ");
  ASSERT_NE(at, std::string::npos) << result.err;
  EXPECT_LT(std::atof(result.out.c_str() + at + 12), 1000) << "100 kernels of 20 ms at 1 % would be 200 s";
}

TEST(PacedProgram, APercentageThatCannotBeReadIsNoLicence) {
  const SimNode node;
  const Outcome result = node.run({client(), "alloc", "1"}, core_limited(node, "half"));
  EXPECT_THAT(result.err, HasSubstr("cannot read CUDA_DEVICE_SM_LIMIT='half' as a percentage"));
  EXPECT_THAT(result.out, HasSubstr("cuMemAlloc 1 MiB: CUDA_ERROR_OPERATING_SYSTEM"));
}

class PacedContainer : public ::testing::Test {
 protected:
  static void set_core(const Container& container, unsigned device, std::uint32_t percent) {
    container.slice().devices[device].core_limit = percent;
    container.slice().core_policy = static_cast<std::uint32_t>(abi::CorePolicy::force);
    ++container.slice().generation;
    abi::seal(container.slice());
  }
};

TEST_F(PacedContainer, GetsTheDriversOwnLaunchFunctionsWhereItsSliceNeverLimits) {
  const SimNode node;
  const Container container(node, {1000});
  EXPECT_THAT(container.run(launcher("where", "1", "1")).out, Not(HasSubstr("driver"))) << "a limit may come";
  set_core(container, 0, 30);
  container.slice().core_policy = static_cast<std::uint32_t>(abi::CorePolicy::disable);
  abi::seal(container.slice());
  EXPECT_THAT(container.run(launcher("where", "1", "1")).out, Not(HasSubstr("libvgpu")));
}

TEST_F(PacedContainer, EveryDeviceHasItsOwnLimit) {
  const SimNode node("[gpu]\n[gpu]\n");
  const Container container(node, {0, 0});
  set_core(container, 0, 20);
  set_core(container, 1, 60);
  expect_share(share_in(container.run(launcher("kernel", "1000", "2", "0")).out), 20);
  expect_share(share_in(container.run(launcher("kernel", "1000", "2", "1")).out), 60);
  EXPECT_GT(container.page().devices[0].core.taken.load(), 0U);
}

TEST_F(PacedContainer, FollowsALimitThatChanges) {
  const SimNode node;
  const Container container(node, {0});
  set_core(container, 0, 5);
  const pid_t program = container.start("program", launcher("kernel", "2000", "3"));
  ::usleep(400'000);
  set_core(container, 0, 60);
  int status = 0;
  ::waitpid(program, &status, 0);
  expect_share(share_in(node.read("program.out")), 60);
}

TEST_F(PacedContainer, AProgramThatStartedWithoutALimitFollowsOne) {
  const SimNode node;
  const Container container(node, {0});
  set_core(container, 0, 0);
  const pid_t program = container.start("program", launcher("sync", "2000", "3"));
  ::usleep(400'000);
  set_core(container, 0, 30);
  int status = 0;
  ::waitpid(program, &status, 0);
  expect_share(share_in(node.read("program.out")), 30);
}

// What one container gets while a neighbour works on the same card all the time.
class PacedNeighbours : public PacedContainer {
 protected:
  PacedNeighbours() { set_core(first_, 0, 30), set_core(second_, 0, 50); }
  static void set_policy(const Container& container, abi::CorePolicy policy) {
    container.slice().core_policy = static_cast<std::uint32_t>(policy);
    abi::seal(container.slice());
  }
  // The shares of both.
  std::pair<double, double> run_both() {
    const pid_t program = second_.start("second", launcher("kernel", "5000", "3.5"));
    const double one = share_in(first_.run(launcher("kernel", "5000", "3")).out);
    int status = 0;
    ::waitpid(program, &status, 0);
    return {one, share_in(node_.read("second.out"))};
  }
  const SimNode node_;
  Container first_{node_, {0}, "first-"};
  Container second_{node_, {0}, "second-"};
};

TEST_F(PacedNeighbours, EachGetsItsShareWhileBothAreBusy) {
  first_.join_card(1);
  second_.join_card(1);
  const auto [one, other] = run_both();
  expect_share(one, 30);
  expect_share(other, 50);
  EXPECT_NE(first_.board().devices[0].busy_until.load(), 0U);
}

TEST_F(PacedNeighbours, OneThatIsAloneUsesTheWholeCardThoughItHasALimit) {
  first_.join_card(1);
  second_.join_card(1);
  set_policy(first_, abi::CorePolicy::work_conserving);
  EXPECT_GT(share_in(first_.run(launcher("kernel", "5000", "2")).out), 80);
}

TEST_F(PacedNeighbours, ALessImportantOneKeepsTheFloorOnly) {
  first_.join_card(5);
  second_.join_card(0);
  const auto [one, other] = run_both();
  EXPECT_LE(one, 8);
  EXPECT_GT(one, 1);
  expect_share(other, 50);
}

TEST_F(PacedNeighbours, ANeighbourThatOnlyClaimsToWorkCostsNothingBeyondTheLimit) {
  first_.join_card(1);
  second_.join_card(1);
  for (abi::BoardDevice* device : {&second_.board().devices[0]}) {
    device->busy_until = device->quiet_until = UINT64_MAX;
    device->quiet_from = 0;
  }
  expect_share(share_in(first_.run(launcher("kernel", "5000", "2")).out), 30);
}

TEST_F(PacedContainer, TheEnvironmentOnlyLowersTheLimit) {
  const SimNode node;
  const Container container(node, {0});
  set_core(container, 0, 30);
  const Environment more = {{"CUDA_DEVICE_SM_LIMIT", "90"}, {"GPU_CORE_UTILIZATION_POLICY", "disable"}};
  expect_share(share_in(container.run(launcher("kernel", "1000", "2"), more).out), 30);
  expect_share(share_in(container.run(launcher("kernel", "1000", "2"), {{"CUDA_DEVICE_SM_LIMIT", "10"}}).out),
               10);
}

}  // namespace
}  // namespace hami::fake
