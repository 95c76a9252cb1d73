// Memory of the simulated driver, seen by programs that know nothing of the simulation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/fake/sim_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

class DriverMemory : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::vector<std::string> command(std::initializer_list<std::string> rest) {
    return client_through(GetParam(), rest);
  }
};

TEST_P(DriverMemory, RunsOutAtThePhysicalSizeOfTheCard) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  const Outcome result = node.run(command({"alloc", "2048", "2046", "4", "2"}));

  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out,
            "cuMemAlloc 2048 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 2046 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 4 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemAlloc 2 MiB: CUDA_SUCCESS\n"
            "cuMemGetInfo: free 0 MiB, total 4096 MiB\n");
  EXPECT_EQ(result.err, "");
}

TEST_P(DriverMemory, IsGivenBackByFree) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  const Outcome result = node.run(command({"--free", "alloc", "4096", "4096", "512B"}));

  EXPECT_THAT(result.out, HasSubstr("free 4096 MiB"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("OUT_OF_MEMORY")));
}

TEST_P(DriverMemory, PitchAndManagedMemoryCountToo) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  EXPECT_THAT(node.run(command({"--kind", "pitch", "alloc", "100"})).out, HasSubstr("free 3996 MiB"));
  EXPECT_THAT(node.run(command({"--kind", "managed", "alloc", "100"})).out, HasSubstr("free 3996 MiB"));
}

INSTANTIATE_TEST_SUITE_P(Doors, DriverMemory, ::testing::Values("linked", "dlsym", "procaddr"),
                         [](const auto& door) { return std::string(door.param); });

TEST(DriverMemoryFromPython, RunsOutAtThePhysicalSizeOfTheCard) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  const Outcome result =
      node.run({HAMI_SOURCE_DIR "/tests/simdriver/clients/cuda_ctypes.py", "alloc", "4096", "1"});

  EXPECT_EQ(result.out,
            "cuMemAlloc 4096 MiB: CUDA_SUCCESS\ncuMemAlloc 1 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemGetInfo: free 0 MiB, total 4096 MiB\n");
}

TEST(DriverMemoryFromPython, AForkedChildCannotUseTheDriverOfItsParent) {
  const SimNode node;

  const Outcome result =
      node.run({HAMI_SOURCE_DIR "/tests/simdriver/clients/cuda_ctypes.py", "--fork", "alloc", "100"});

  EXPECT_EQ(result.out,
            "cuMemAlloc 1 MiB: CUDA_ERROR_NOT_INITIALIZED (3)\ncuMemAlloc 100 MiB: CUDA_SUCCESS\n"
            "cuMemGetInfo: free 40860 MiB, total 40960 MiB\n");
}

TEST(DriverProcess, SmallAllocationsShareBlocksOfTwoMebibytes) {
  const SimNode node;

  const pid_t child = node.start("one", {client(), "--hold", "60", "alloc", "512B", "512B", "512B"});

  EXPECT_TRUE(eventually([&] { return node.stat("device", "used") == 2 * kMiB; }));
  EXPECT_EQ(node.stat("device", "granted"), 3 * 512U);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(DriverProcess, ItsMemoryComesBackWhenItIsKilled) {
  const SimNode node("context_mib = 300\n");
  const pid_t child = node.start("one", {client(), "--hold", "60", "alloc", "1000"});
  ASSERT_TRUE(eventually([&] { return node.stat("device", "used") == 1300 * kMiB; }));

  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  EXPECT_EQ(node.stat("device", "used"), 0U);
  EXPECT_EQ(node.stat("device", "peak"), 1300 * kMiB);
  EXPECT_EQ(node.stat("container", "live"), 0U);
}

TEST(DriverProcess, KilledInsideAnAllocationLeavesNothing) {
  const SimNode node;
  for (const char* fault :
       {"kill:cuMemAlloc_v2@3", "kill-after:cuMemAlloc_v2@3", "kill-after:cuMemFree_v2@2"}) {
    const Outcome result = node.run({client(), "churn", "64", "10"}, {{"SIMGPU_FAULTS", fault}});

    EXPECT_EQ(result.status, 128 + SIGKILL) << fault;
    EXPECT_EQ(node.stat("device", "used"), 0U) << fault;
  }
}

TEST(DriverProcess, ManyAtOnceNeverGetMoreThanTheCardHas) {
  const SimNode node("[gpu]\nmemory_mib = 512\n");
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(node.start(
        std::to_string(i), {client(), "--threads", "8", "--hold", "1", "alloc", "16", "16", "16", "16"}));
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);

  EXPECT_EQ(node.stat("device", "peak"), 512 * kMiB);
  EXPECT_EQ(node.stat("device", "used"), 0U);
}

TEST(DriverProcess, SeesOnlyTheDevicesItAskedFor) {
  const SimNode node("[gpu]\nname = first\n[gpu]\nname = second\n");

  const Outcome both = node.run({client(), "info"});
  const Outcome second = node.run({client(), "info"}, {{"CUDA_VISIBLE_DEVICES", "1"}});
  const Outcome none = node.run({client(), "info"}, {{"CUDA_VISIBLE_DEVICES", ""}});

  EXPECT_THAT(both.out, HasSubstr("device 1: second"));
  EXPECT_THAT(second.out, HasSubstr("device 0: second"));
  EXPECT_THAT(second.out, HasSubstr("1 device\n"));
  EXPECT_THAT(none.err, HasSubstr("CUDA_ERROR_NO_DEVICE (100)"));
}

TEST(DriverProcess, AFaultThatATestAskedForHappensOnce) {
  const SimNode node;

  const Outcome result =
      node.run({client(), "alloc", "1", "1", "1"}, {{"SIMGPU_FAULTS", "fail:cuMemAlloc_v2@2=2"}});

  EXPECT_THAT(result.out,
              HasSubstr("cuMemAlloc 1 MiB: CUDA_SUCCESS\ncuMemAlloc 1 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
                        "cuMemAlloc 1 MiB: CUDA_SUCCESS\n"));
}

TEST(DriverProcess, CountsItsCallsWhenAsked) {
  const SimNode node;

  const Outcome result = node.run({client(), "churn", "1", "7"}, {{"SIMGPU_COUNTS", node.file("counts")}});

  EXPECT_EQ(result.out, "0 of 7 refused\n");
  EXPECT_THAT(node.read("counts"), HasSubstr("cuMemAlloc_v2 7\n"));
}

TEST(DriverProcess, ANodeWithoutStateHasNoDevice) {
  const SimNode node;

  const Outcome result = node.run({client(), "info"}, {{"SIMGPU_STATE", node.file("none")}});

  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("cuInit: CUDA_ERROR_NO_DEVICE (100)"));
}

}  // namespace
}  // namespace hami::fake
