// Which processes a container sees.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Processes : public ::testing::Test {
 protected:
  ~Processes() override {
    for (const pid_t pid : started_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  // A process of the container that holds memory.
  void hold(const Container& container, const std::string& mib) {
    const std::uint64_t before = container.committed();
    started_.push_back(container.start(mib, {client(), "--hold", "60", "alloc", mib}));
    ASSERT_TRUE(eventually([&] { return container.committed() == before + std::stoull(mib) * kMiB; }));
  }
  std::vector<pid_t> started_;
};

TEST_F(Processes, OfTheContainerAreListedWithTheirMemory) {
  const SimNode node;
  const Container container(node, {3000});
  hold(container, "800");
  hold(container, "900");

  const std::string smi = container.run({sim_file("nvidia-smi")}).out;

  EXPECT_THAT(smi, HasSubstr("1700MiB / 3000MiB"));
  EXPECT_THAT(smi, HasSubstr("cudacli"));
  EXPECT_THAT(smi, HasSubstr("800MiB |"));
  EXPECT_THAT(smi, HasSubstr("900MiB |"));
}

TEST_F(Processes, OfOthersAreNotSeen) {
  const SimNode node;
  const Container container(node, {3000});
  started_.push_back(node.start("tenant", {client(), "--hold", "60", "alloc", "700"}));
  ASSERT_TRUE(eventually([&] { return node.stat("device", "granted") == 700 * kMiB; }));

  const std::string smi = container.run({sim_file("nvidia-smi")}).out;

  EXPECT_THAT(smi, HasSubstr("0MiB / 3000MiB"));
  EXPECT_THAT(smi, HasSubstr("No running processes found"));
  EXPECT_THAT(smi, Not(HasSubstr("cudacli")));
}

// NVML shows the host's numbers.
TEST_F(Processes, CarryThePidsOfTheContainersNamespace) {
  const SimNode node;
  const Container container(node, {3000});

  const std::string smi = container
                              .run({"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                                    "\"$0\" --hold 60 alloc 800 >\"$2\" & until grep -q SUCCESS \"$2\"; do "
                                    "sleep 0.02; done; \"$1\"; "
                                    "kill $!",
                                    client(), sim_file("nvidia-smi"), node.file("said")})
                              .out;

  EXPECT_THAT(smi, ContainsRegex(" 2 .*cudacli.* 800MiB"));
}

TEST_F(Processes, ThatDiedAreGoneFromTheList) {
  const SimNode node;
  const Container container(node, {3000});
  hold(container, "800");
  ::kill(started_[0], SIGKILL);
  ::waitpid(started_[0], nullptr, 0);
  started_.clear();

  const std::string smi = container.run({sim_file("nvidia-smi")}).out;

  EXPECT_THAT(smi, HasSubstr("0MiB / 3000MiB"));
  EXPECT_THAT(smi, HasSubstr("No running processes found"));
}

}  // namespace
}  // namespace hami::fake
