// The memory limit, through every door to the driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LimitedMemory : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::vector<std::string> command(std::initializer_list<std::string> rest) {
    return client_through(GetParam(), rest);
  }
};

TEST_P(LimitedMemory, SecondHalfTooMuchIsRefusedWithOutOfMemory) {
  const SimNode node;

  const Outcome result = node.run(command({"alloc", "2048", "2048", "952", "512B"}), limited(node, "3000m"));

  EXPECT_EQ(result.out,
            "cuMemAlloc 2048 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 2048 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemAlloc 952 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 512 B: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemGetInfo: free 0 MiB, total 3000 MiB\n");
  EXPECT_EQ(result.err, "");
}

TEST_P(LimitedMemory, HoldsForPitchAndManagedMemory) {
  const SimNode node;
  for (const char* kind : {"pitch", "managed"}) {
    const Outcome result =
        node.run(command({"--kind", kind, "alloc", "600", "600", "400"}), limited(node, "1000m"));
    EXPECT_THAT(result.out, HasSubstr("600 MiB: CUDA_ERROR_OUT_OF_MEMORY")) << kind;
    EXPECT_THAT(result.out, HasSubstr("400 MiB: CUDA_SUCCESS")) << kind;
    EXPECT_THAT(result.out, HasSubstr("free 0 MiB, total 1000 MiB")) << kind;
  }
}

TEST_P(LimitedMemory, IsGivenBackByFree) {
  const SimNode node;

  const Outcome result =
      node.run(command({"--free", "alloc", "900", "900", "900", "1000"}), limited(node, "1000m"));

  EXPECT_THAT(result.out, Not(HasSubstr("OUT_OF_MEMORY")));
  EXPECT_THAT(result.out, HasSubstr("free 1000 MiB"));
}

TEST_P(LimitedMemory, TotalIsTheLimitEverywhere) {
  const SimNode node;

  const Outcome result = node.run(command({"info"}), limited(node, "1500m"));

  EXPECT_THAT(result.out, HasSubstr(", 1500 MiB\n"));
  EXPECT_THAT(result.out, HasSubstr("free 1500 MiB, total 1500 MiB"));
}

INSTANTIATE_TEST_SUITE_P(Doors, LimitedMemory, ::testing::Values("linked", "dlsym", "procaddr"),
                         [](const auto& door) { return std::string(door.param); });

TEST(Limits, AreOffWithoutVariablesAndSlice) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  const Outcome result = node.run({client(), "alloc", "4000"}, {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"}});

  EXPECT_EQ(result.out, node.run({client(), "alloc", "4000"}).out);
  EXPECT_EQ(result.err, "");
}

TEST(Limits, AboveTheCardsSizeShowTheCard) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");

  const Outcome result = node.run({client(), "info"}, limited(node, "64g"));

  EXPECT_THAT(result.out, HasSubstr("total 4096 MiB"));
}

TEST(Limits, ThatCannotBeReadFailEveryAllocationWithOneLine) {
  const SimNode node;

  const Outcome result = node.run({client(), "alloc", "1", "1"}, limited(node, "3000MBit"));

  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("libvgpu: cannot read CUDA_DEVICE_MEMORY_LIMIT='3000MBit'"));
  EXPECT_EQ(result.err.find("libvgpu:"), result.err.rfind("libvgpu:")) << "said once";
}

TEST(Limits, WithoutAPlaceForThePageFailEveryAllocation) {
  const SimNode node;
  Environment env = limited(node, "1g");
  env["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = "/nonexistent/page";

  const Outcome result = node.run({client(), "alloc", "1"}, env);

  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("'/nonexistent/page'"));
}

TEST(Limits, FollowTheDeviceNotItsNumber) {
  const SimNode node("[gpu]\nmemory_mib = 8192\n[gpu]\nmemory_mib = 8192\n");
  Environment env = limited(node, "4g");
  env["CUDA_DEVICE_MEMORY_LIMIT_1"] = "1g";
  env["CUDA_VISIBLE_DEVICES"] = "1,0";

  const Outcome first = node.run({client(), "--device", "0", "alloc", "2048"}, env);
  const Outcome second = node.run({client(), "--device", "1", "alloc", "2048"}, env);

  EXPECT_THAT(first.out, HasSubstr("OUT_OF_MEMORY"));
  EXPECT_THAT(first.out, HasSubstr("total 1024 MiB"));
  EXPECT_THAT(second.out, HasSubstr("cuMemAlloc 2048 MiB: CUDA_SUCCESS"));
  EXPECT_THAT(second.out, HasSubstr("total 4096 MiB"));
}

TEST(Slice, IsTheLimit) {
  const SimNode node;
  const Container container(node, {3000});

  const Outcome result = container.run({client(), "alloc", "2048", "2048"});

  EXPECT_EQ(result.out,
            "cuMemAlloc 2048 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 2048 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemGetInfo: free 952 MiB, total 3000 MiB\n");
  EXPECT_EQ(container.page().devices[0].refused.load(), 1U);
}

TEST(Slice, IsNotRaisedByTheEnvironment) {
  const SimNode node;
  const Container container(node, {1000});

  EXPECT_THAT(container.run({client(), "info"}, {{"CUDA_DEVICE_MEMORY_LIMIT", "64g"}}).out,
              HasSubstr("total 1000 MiB"));
  EXPECT_THAT(container.run({client(), "info"}, {{"CUDA_DEVICE_MEMORY_LIMIT", "0"}}).out,
              HasSubstr("total 1000 MiB"));
  EXPECT_THAT(container.run({client(), "info"}, {{"CUDA_DEVICE_MEMORY_LIMIT", "500m"}}).out,
              HasSubstr("total 500 MiB"));
}

TEST(Slice, ThatIsDamagedIsNeverUnlimited) {
  const SimNode node;
  const Container container(node, {1000});
  container.slice().devices[0].memory_limit = 0;  // without a new seal

  const Outcome result = container.run({client(), "alloc", "1"});

  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("libvgpu: cannot read the limits in '/usr/local/vgpu/slice'"));
}

TEST(Slice, WithoutAPageIsNeverUnlimited) {
  const SimNode node;
  const Container container(node, {1000});
  container.page().magic = 0;

  const Outcome result = container.run({client(), "alloc", "1"});

  EXPECT_THAT(result.out, Not(HasSubstr("SUCCESS")));
  EXPECT_THAT(result.err, HasSubstr("/usr/local/vgpu/usage"));
}

TEST(Slice, RefusesADeviceThatItDoesNotName) {
  const SimNode node("[gpu]\nmemory_mib = 8192\n[gpu]\nmemory_mib = 8192\n");
  const Container container(node, {1000});

  EXPECT_THAT(container.run({client(), "--device", "0", "alloc", "1"}).out, HasSubstr("SUCCESS"));
  EXPECT_THAT(container.run({client(), "--device", "1", "alloc", "1"}).out, Not(HasSubstr("SUCCESS")));
}

TEST(Slice, FindsItsDevicesInAnyOrder) {
  const SimNode node("[gpu]\nmemory_mib = 8192\n[gpu]\nmemory_mib = 8192\n");
  const Container container(node, {1000, 2000});

  EXPECT_THAT(container.run({client(), "--device", "0", "info"}, {{"CUDA_VISIBLE_DEVICES", "1,0"}}).out,
              HasSubstr("total 2000 MiB"));
}

TEST(Slice, ChangesAreHeldAtTheNextCall) {
  const SimNode node;
  const Container container(node, {1000});
  const pid_t pid = container.start("holder", {client(), "--hold", "30", "alloc", "800"});
  ASSERT_TRUE(eventually([&] { return container.committed() == 800 * kMiB; }));

  container.slice().devices[0].memory_limit = 500 * kMiB;
  ++container.slice().generation;
  abi::seal(container.slice());

  EXPECT_THAT(container.run({client(), "alloc", "1"}).out,
              HasSubstr("OUT_OF_MEMORY (2)\ncuMemGetInfo: free 0 MiB, total 500 MiB"));
  ::kill(pid, SIGKILL);
}

TEST(Report, NvidiaSmiShowsUseOverLimit) {
  const SimNode node;
  const Container container(node, {3000});
  EXPECT_THAT(container.run({sim_file("nvidia-smi")}).out, HasSubstr("0MiB / 3000MiB"));
  const pid_t pid = container.start("holder", {client(), "--hold", "30", "alloc", "800"});
  ASSERT_TRUE(eventually([&] { return container.committed() == 800 * kMiB; }));

  EXPECT_THAT(container.run({sim_file("nvidia-smi")}).out, HasSubstr("800MiB / 3000MiB"));
  EXPECT_THAT(container.run({client(), "info"}).out, HasSubstr("free 2200 MiB, total 3000 MiB"));
  ::kill(pid, SIGKILL);
}

TEST(Report, AnotherTenantsUseIsVisibleInFree) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");
  const Container container(node, {3000});
  const pid_t pid = node.start("tenant", {client(), "--hold", "30", "alloc", "3000"});
  ASSERT_TRUE(eventually([&] { return node.stat("device", "granted") == 3000 * kMiB; }));

  EXPECT_THAT(container.run({client(), "info"}).out, HasSubstr("free 1096 MiB, total 3000 MiB"));
  ::kill(pid, SIGKILL);
}

TEST(Manners, ProgramsWithoutCudaCreateNothingAndSayNothing) {
  const SimNode node;
  const Outcome result = node.run({"sh", "-c", "echo hello; ls / >/dev/null"}, limited(node, "1g"));
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_EQ(result.err, "");
  struct stat status = {};
  EXPECT_NE(::stat(node.file("page").c_str(), &status), 0);
}

}  // namespace
}  // namespace hami::fake
