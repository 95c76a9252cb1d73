// What NVML says in a container: of its own processes, and of no other card than its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kNvml = HAMI_BUILD_DIR "/bin/vgpu-nvml";
// One period of the simulated card's samples is 100 ms; kernels fill the card.
const std::string kCard =
    "cuda_version = 13.0\nvirtual_clock = 1\nsample_period_ms = 100\n[gpu]\nmultiprocessors = 50\n";

class NvmlInside : public ::testing::Test {
 protected:
  ~NvmlInside() override {
    for (const pid_t pid : started_) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  // Programs that others started, each with its children in a group of its own; waits until they are ready.
  pid_t keep(pid_t pid, const SimNode& node, const std::string& name) {
    started_.push_back(pid);
    EXPECT_TRUE(eventually([&] { return node.read(name + ".out").find("done") != std::string::npos; }))
        << name;
    return pid;
  }
  static std::vector<std::string> grouped(std::vector<std::string> rest) {
    std::vector<std::string> argv = {"setsid", kNvml};
    argv.insert(argv.end(), rest.begin(), rest.end());
    return argv;
  }

 private:
  std::vector<pid_t> started_;
};

TEST_F(NvmlInside, ShowsTheContainersPartOfTheWork) {
  const SimNode node(kCard);
  const Container container(node, {3000});
  keep(node.start("tenant", grouped({"busy", "30", "0"})), node, "tenant");
  const pid_t ours = keep(container.start("ours", grouped({"busy", "40", "100"})), node, "ours");

  const std::string bare = node.run({kNvml, "show"}).out;
  const std::string seen = container.run({kNvml, "show"}).out;

  EXPECT_THAT(bare, HasSubstr("rates: 0, 70 %\n"));
  EXPECT_THAT(bare, HasSubstr("process utilization: 7, 0, 2 of 2"));
  EXPECT_THAT(seen, HasSubstr("rates: 0, 40 %\n"));
  EXPECT_THAT(seen, HasSubstr("samples: 0, 0, 1, last 40 %\n"));
  EXPECT_THAT(seen, HasSubstr("process utilization: 7, 0, 1 of 1, pid " + std::to_string(ours) + " 40 %\n"));
  EXPECT_THAT(seen, HasSubstr("compute processes: 0, 1\n"));
}

TEST_F(NvmlInside, ShowsAnIdleContainerOnABusyCard) {
  const SimNode node(kCard);
  const Container container(node, {3000});
  keep(node.start("tenant", grouped({"busy", "30", "100"})), node, "tenant");

  const std::string seen = container.run({kNvml, "show"}).out;

  EXPECT_THAT(seen, HasSubstr("rates: 0, 0 %\n"));
  EXPECT_THAT(seen, HasSubstr("last 0 %\n"));
  EXPECT_THAT(seen, HasSubstr("process utilization: 6, 6, 0 of 0\n"));
}

TEST_F(NvmlInside, ShowsNothingOfACardThatTheContainerWasNotGiven) {
  const SimNode node(kCard + "[gpu]\nmemory_mib = 8192\n");
  const Container container(node, {3000});

  EXPECT_THAT(node.run({kNvml, "show", "1"}).out, HasSubstr("memory: 0, "));
  const std::string seen = container.run({kNvml, "show", "1"}).out;

  EXPECT_THAT(seen, HasSubstr("memory: 4, "));
  EXPECT_THAT(seen, HasSubstr("rates: 4, "));
  EXPECT_THAT(seen, HasSubstr("samples: 4, 4, "));
  EXPECT_THAT(seen, HasSubstr("compute processes: 4, "));
  EXPECT_THAT(seen, HasSubstr("graphics processes: 4, "));
  EXPECT_THAT(container.run({kNvml, "show", "0"}).out, Not(HasSubstr(": 4")));
}

// More processes than fit where NVML's lists usually do: the container still knows its own among them.
TEST_F(NvmlInside, FindsTheContainersAmongManyProcesses) {
  const SimNode node(kCard);
  const Container container(node, {3000});
  keep(node.start("tenant", grouped({"hold", "300"})), node, "tenant");
  const pid_t ours = keep(container.start("ours", grouped({"busy", "40", "100"})), node, "ours");

  const std::string seen = container.run({kNvml, "show"}).out;

  EXPECT_THAT(node.run({kNvml, "show"}).out, HasSubstr("compute processes: 0, 301\n"));
  EXPECT_THAT(seen, HasSubstr("compute processes: 0, 1\n"));
  EXPECT_THAT(seen, HasSubstr("pid " + std::to_string(ours) + " 40 %\n"));
}

}  // namespace
}  // namespace hami::fake
