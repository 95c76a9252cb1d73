// What the card loses to a process beside what it asks for by name. After every step the charge is what the
// card has lost, and the limit of 1500 MiB holds for the card's own count.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kLimitMib = 1500;

struct Step {
  std::string name;
  int status;
  std::uint64_t charged;  // KiB
  std::uint64_t card;     // KiB
};

std::vector<Step> steps_of(const std::string& out) {
  std::vector<Step> steps;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    Step step;
    const auto colon = line.find(": ");
    step.name = line.substr(0, colon);
    const int found = std::sscanf(line.c_str() + colon, ": %d, charged %lu KiB, card %lu KiB", &step.status,
                                  &step.charged, &step.card);
    EXPECT_EQ(found, 3) << line;
    steps.push_back(step);
  }
  return steps;
}

constexpr const char* kCard = "cuda_version = 13.0\n[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n";

std::vector<Step> exercise(const Container& container, const std::string& scenario) {
  const Outcome result = container.run({HAMI_BUILD_DIR "/bin/vgpu-overhead", scenario});
  EXPECT_EQ(result.status, 0) << result.err;
  return steps_of(result.out);
}

class Overhead : public ::testing::TestWithParam<const char*> {};

class OverheadStatus : public ::testing::Test {
 protected:
  int status_of(const std::string& scenario, const std::string& name) const {
    for (const Step& step : exercise(container_, scenario)) {
      if (step.name == name) return step.status;
    }
    ADD_FAILURE() << "no step '" << name << "'";
    return -1;
  }

 private:
  SimNode node_{kCard};
  Container container_{node_, {kLimitMib}};
};

TEST_P(Overhead, IsChargedAsTheCardLosesIt) {
  const SimNode node(kCard);
  const Container container(node, {kLimitMib});

  const std::vector<Step> steps = exercise(container, GetParam());

  ASSERT_FALSE(steps.empty());
  for (const Step& step : steps) {
    EXPECT_EQ(step.charged, step.card) << step.name;
    EXPECT_GE(step.charged, 300U * 1024) << step.name << ": at least one context";
  }
  EXPECT_LE(container.page().devices[0].peak.load(), kLimitMib * kMiB);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Overhead,
                         ::testing::Values("created", "primary", "green", "green_alone", "limits", "modules",
                                           "late", "small", "full"),
                         [](const auto& scenario) { return std::string(scenario.param); });

TEST_F(OverheadStatus, IsOutOfMemoryForWhatDoesNotFit) {
  EXPECT_EQ(status_of("full", "all but a block"), 0);
  EXPECT_EQ(status_of("full", "small"), 0);
  EXPECT_EQ(status_of("full", "one of another size"), 2);
  EXPECT_EQ(status_of("limits", "too much heap"), 2);
  EXPECT_EQ(status_of("limits", "heap"), 0);
  EXPECT_EQ(status_of("created", "fourth"), 0);
  EXPECT_EQ(status_of("modules", "module too large"), 2);
  EXPECT_EQ(status_of("modules", "module"), 0);
}

// What the card loses never goes beyond the limit, not for an instant either.
class Instant : public ::testing::Test {
 protected:
  int status_of(const std::string& scenario, const std::string& name, const Environment& env = {}) {
    const Container container(node_, {kLimitMib});
    const Outcome result = container.run({HAMI_BUILD_DIR "/bin/vgpu-overhead", scenario}, env);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_LE(node_.stat("device", "peak"), kLimitMib * kMiB) << scenario;
    EXPECT_LE(container.page().devices[0].peak.load(), kLimitMib * kMiB);
    for (const Step& step : steps_of(result.out)) {
      if (step.name == name) return step.status;
    }
    return -1;
  }
  SimNode node_{kCard};
};

TEST_F(Instant, OfAFirstContextWhileOthersTakeAll) {
  status_of("crowded", "context", {{"SIMGPU_FAULTS", "delay:cuCtxCreate_v2=100000"}});
}

TEST_F(Instant, OfAPoolsFirstGrowth) {
  EXPECT_EQ(status_of("last_by_pool", "from a pool"), 2);
  EXPECT_EQ(status_of("last_by_pool", "by itself"), 0);
}

TEST_F(Instant, OfAModuleWhoseImageTellsItsSize) {
  const Environment env = {{"MODULE_FILE", node_.file("module.ptx")}};
  EXPECT_EQ(status_of("told", "too large", env), 2);
  EXPECT_EQ(status_of("told", "module", env), 0);
  EXPECT_EQ(status_of("told", "file too large", env), 2);
}

TEST_F(Instant, OfCodeThatIsLoadedAtOnce) {
  EXPECT_EQ(status_of("code", "too much code", {{"CUDA_MODULE_LOADING", "EAGER"}}), 2);
  EXPECT_EQ(status_of("code", "as much as fits", {{"CUDA_MODULE_LOADING", "EAGER"}}), 0);
  EXPECT_EQ(status_of("code", "too much code"), 0) << "of what is loaded lazily little is taken";
}

TEST_F(Instant, OfAGreenContext) {
  EXPECT_EQ(status_of("green_at_the_limit", "no room"), 2);
  EXPECT_EQ(status_of("green_at_the_limit", "first"), 0);
  EXPECT_EQ(status_of("green_at_the_limit", "second"), 0) << "what it costs is known";
  EXPECT_EQ(status_of("green_at_the_limit", "no room for a third"), 2);
}

// Nobody saw it coming, so NVML's list does not tell which entry is new.
TEST(AdoptedContext, IsChargedByTheTableUntilAContextWasMeasured) {
  const SimNode node("[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {1500});

  const auto run = [&] {
    return container.run({"unshare", "--pid", "--fork", HAMI_BUILD_DIR "/bin/vgpu-overhead", "adopted"}).out;
  };
  const std::string first = run();
  ASSERT_TRUE(eventually([&] { return node.stat("device", "granted") == 0; }))
      << "its end is noticed from outside";
  const std::string second = run();

  EXPECT_THAT(first, HasSubstr("through the table: 0, charged 385024 KiB, card 307200 KiB"));
  EXPECT_THAT(first, HasSubstr("another in its place: 0, charged 307200 KiB, card 307200 KiB"));
  EXPECT_THAT(second, HasSubstr("through the table: 0, charged 307200 KiB, card 307200 KiB"));
  EXPECT_THAT(second, HasSubstr("alloc: 0, charged 372736 KiB, card 372736 KiB"));
}

TEST(ContextCost, IsKnownToTheNextProcessBeforeItMakesOne) {
  const SimNode node("[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {500});
  const pid_t pid = container.start("holder", {client(), "--hold", "30", "alloc", "100"});
  ASSERT_TRUE(eventually([&] { return container.committed() == 400 * kMiB; }));
  EXPECT_EQ(container.page().context_bytes[0].load(), 300 * kMiB + 1);

  EXPECT_THAT(container.run({client(), "alloc", "1"}).out, Not(HasSubstr("SUCCESS")));
  EXPECT_LE(node.stat("container", "peak_used"), 500 * kMiB) << "the second was not even tried";
  ::kill(pid, SIGKILL);
}

// Nobody knows what a context costs when the first two are made at once.
TEST(ContextCost, OfTheFirstIsNotTakenByANeighbourMeanwhile) {
  const SimNode node("[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {500});
  std::vector<pid_t> pids;
  for (int i = 0; i < 6; ++i)
    pids.push_back(container.start("rival" + std::to_string(i), {client(), "--hold", "30", "alloc", "150"}));

  EXPECT_TRUE(eventually([&] { return container.committed() == 450 * kMiB; }));
  for (const pid_t pid : pids) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  EXPECT_EQ(node.stat("container", "peak_used"), 450 * kMiB);
}

TEST(ContextCost, OfTheFirstIsRefusedWhenItDoesNotFit) {
  const SimNode node("[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {200});

  EXPECT_THAT(container.run({client(), "alloc", "1"}).out, Not(HasSubstr("SUCCESS")));
  EXPECT_EQ(container.committed(), 0U);
}

TEST(ContextCost, IsEstimatedWhenNvmlDoesNotListProcesses) {
  const SimNode node("process_list = 0\n[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {1000});

  // 160 MiB for capability 8, and 1 KiB for each of 108 * 2048 threads.
  EXPECT_THAT(container.run({client(), "info"}).out, HasSubstr("free 624 MiB, total 1000 MiB"));
}

TEST(ContextCost, IsWhatTheRuntimeWroteWhenNvmlDoesNotListProcesses) {
  const SimNode node("process_list = 0\n[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {1000});
  container.page().context_bytes[0].store(300 * kMiB + 1);

  EXPECT_THAT(container.run({client(), "info"}).out, HasSubstr("free 700 MiB, total 1000 MiB"));
}

TEST(ContextCost, IsSeenThroughPidsOfAnotherNamespace) {
  const SimNode node("[gpu]\nmemory_mib = 8192\ncontext_mib = 300\n");
  const Container container(node, {1000});

  EXPECT_THAT(container.run({"unshare", "--pid", "--fork", client(), "alloc", "100"}).out,
              HasSubstr("free 600 MiB, total 1000 MiB"));
}

}  // namespace
}  // namespace hami::fake
