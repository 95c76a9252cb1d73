// Many processes and threads near the limit, and their violent end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

constexpr std::uint64_t kLimitMib = 1000;
constexpr unsigned kProcesses = 8;

class Contention : public ::testing::Test {
 protected:
  // Eight processes of eight threads; their sizes do not divide the limit.
  std::vector<pid_t> start_all(const Container& container, const std::string& repeats) const {
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < kProcesses; ++i) {
      const std::string name = std::to_string(i);
      const std::string size = std::to_string(97'000 + 13'003 * i) + "K";
      pids.push_back(container.start(name, {client(), "--threads", "8", "churn", size, repeats}));
    }
    return pids;
  }
  SimNode node_;
};

// Looks at the page all the time, as fast as it can.
class Observer {
 public:
  explicit Observer(const Container& container)
      : thread_([this, &container] {
          while (!stop_.load()) {
            const std::uint64_t seen = container.committed();
            if (seen > worst_) worst_ = seen;
          }
        }) {}
  std::uint64_t worst() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
    return worst_;
  }
  ~Observer() { worst(); }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::uint64_t worst_ = 0;
  std::thread thread_;
};

TEST_F(Contention, EightTimesEightThreadsNeverPassTheLimit) {
  const Container container(node_, {kLimitMib});
  Observer observer(container);

  for (const pid_t pid : start_all(container, "20000")) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }

  EXPECT_GT(container.page().devices[0].peak.load(), kLimitMib * kMiB / 2) << "they met at the limit";
  EXPECT_LE(observer.worst(), kLimitMib * kMiB);
  EXPECT_LE(container.page().devices[0].peak.load(), kLimitMib * kMiB);
  EXPECT_GT(container.page().devices[0].refused.load(), 0U);
  // The card's own view: what was ever handed out at once, also for an instant.
  EXPECT_LE(node_.stat("container", "peak_granted"), kLimitMib * kMiB);
  EXPECT_EQ(node_.stat("device", "granted"), 0U);
  // Their end left nothing: the last ones may have died with memory only if they failed.
  EXPECT_THAT(container.run({client(), "info"}).out, ::testing::HasSubstr("free 1000 MiB, total 1000 MiB"));
}

TEST_F(Contention, KilledProcessesLeaveNothing) {
  const Container container(node_, {kLimitMib});
  for (int round = 0; round < 3; ++round) {
    const std::vector<pid_t> pids = start_all(container, "100000000");
    EXPECT_TRUE(eventually([&] { return container.page().devices[0].refused.load() > 100; }));
    for (const pid_t pid : pids) ::kill(pid, SIGKILL);
    for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);

    EXPECT_EQ(container.repaired(), 0U);
    EXPECT_EQ(container.page().gate.load(), 0U);
    EXPECT_LE(container.page().devices[0].peak.load(), kLimitMib * kMiB);
  }
}

TEST_F(Contention, SurvivorsSeeTheBytesOfKilledOnesAgain) {
  const Container container(node_, {kLimitMib});
  const pid_t victim = container.start("victim", {client(), "--hold", "60", "alloc", "900"});
  ASSERT_TRUE(eventually([&] { return container.committed() == 900 * kMiB; }));
  ::kill(victim, SIGKILL);
  ::waitpid(victim, nullptr, 0);

  EXPECT_THAT(container.run({client(), "alloc", "1000"}).out, ::testing::HasSubstr("CUDA_SUCCESS"));
}

}  // namespace
}  // namespace hami::fake
