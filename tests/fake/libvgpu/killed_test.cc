// Programs that are killed inside the driver: whatever call it was, before its work or after it, nothing
// stays counted and nobody waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFunctions[] = {
#define HAMI_FN(symbol, since, result, params, args) #symbol,
#include "libvgpu/cuda/functions.def"
};

class Killed : public ::testing::TestWithParam<const char*> {};

// A survivor holds 100 MiB while a program that calls everything dies in one call after the other.
TEST_P(Killed, InAnyCallLeaveNothingBehind) {
  const SimNode node("cuda_version = 13.0\n");
  const Container container(node, {1000});
  const pid_t survivor = container.start("survivor", {client(), "--hold", "60", "alloc", "100"});
  // While it begins more is committed: what a context is expected to take.
  const std::uint64_t truth = 100 * kMiB;
  ASSERT_TRUE(eventually([&] { return container.committed() == truth; }));
  unsigned killed = 0;

  for (const char* function : kFunctions) {
    const std::string fault = std::string(GetParam()) + ":" + function + "@1";
    const Outcome victim =
        container.run({HAMI_BUILD_DIR "/bin/vgpu-coverage", "dlsym"}, {{"SIMGPU_FAULTS", fault}});
    if (victim.status != 128 + SIGKILL) continue;  // the program does not call this one
    ++killed;

    const Outcome after = container.run({client(), "info"});

    EXPECT_THAT(after.out, HasSubstr("total 1000 MiB")) << fault << after.err;
    EXPECT_EQ(container.repaired(), truth) << fault;
    EXPECT_EQ(container.page().gate.load(), 0U) << fault;
  }

  EXPECT_GT(killed, 40U);
  // All that is left of the slice can be had again.
  EXPECT_THAT(container.run({client(), "--strict", "alloc", "880"}).out, HasSubstr("880 MiB: CUDA_SUCCESS"));
  ::kill(survivor, SIGKILL);
  ::waitpid(survivor, nullptr, 0);
}

INSTANTIATE_TEST_SUITE_P(BeforeAndAfter, Killed, ::testing::Values("kill", "kill-after"),
                         [](const auto& moment) {
                           return std::string(moment.param) == "kill" ? "BeforeItsWork" : "AfterIt";
                         });

}  // namespace
}  // namespace hami::fake
