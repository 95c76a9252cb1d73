// Programs that know nothing of a limit, held to one by libvgpu.so, however they find the driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/fake/sim_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

// The library used alone, as its users without our runtime do.
std::map<std::string, std::string> limited(const SimNode& node, const std::string& limit) {
  return {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"},
          {"CUDA_DEVICE_MEMORY_LIMIT", limit},
          {"CUDA_DEVICE_MEMORY_SHARED_CACHE", node.file("region")}};
}

std::vector<std::string> program_of(const std::string& door) {
  if (door == "ctypes") return {HAMI_SOURCE_DIR "/tests/simdriver/clients/cuda_ctypes.py", "alloc"};
  return client_through(door, {"alloc"});
}

class LimitedClient : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::vector<std::string> alloc(std::initializer_list<std::string> sizes) {
    std::vector<std::string> argv = program_of(GetParam());
    argv.insert(argv.end(), sizes);
    return argv;
  }
};

TEST_P(LimitedClient, GetsNoMoreThanItsLimitAndSeesACardOfThatSize) {
  const SimNode node;

  const Outcome result = node.run(alloc({"2048", "2048", "952", "2"}), limited(node, "3000m"));

  EXPECT_EQ(result.out,
            "cuMemAlloc 2048 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 2048 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemAlloc 952 MiB: CUDA_SUCCESS\n"
            "cuMemAlloc 2 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
            "cuMemGetInfo: free 0 MiB, total 3000 MiB\n");
  EXPECT_EQ(node.stat("device", "peak"), 3000 * kMiB);
}

TEST_P(LimitedClient, IsTheDriversOwnClientWithoutALimit) {
  const SimNode node;

  EXPECT_EQ(node.run(alloc({"30000", "20000"}), {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"}}).out,
            node.run(alloc({"30000", "20000"})).out);
}

INSTANTIATE_TEST_SUITE_P(Doors, LimitedClient, ::testing::Values("linked", "dlsym", "procaddr", "ctypes"),
                         [](const auto& door) { return std::string(door.param); });

TEST(LimitedNvidiaSmi, ShowsTheLimitAsTheCard) {
  const SimNode node;

  const Outcome result = node.run({sim_file("nvidia-smi")}, limited(node, "3000m"));

  EXPECT_THAT(result.out, HasSubstr(" 0MiB / 3000MiB "));
}

// 64 threads in 8 processes want sixteen times what they may have, in pieces that nearly fill the limit. The
// driver's own record is the witness.
TEST(LimitedProcesses, TogetherNeverHaveMoreThanTheLimitByOneByte) {
  const SimNode node;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(node.start(
        std::to_string(i), {client(), "--threads", "8", "--hold", "1", "alloc", "1", "7", "512B", "3", "64K"},
        limited(node, "100m")));
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);

  const std::uint64_t peak = node.stat("container", "peak_granted");
  EXPECT_LE(peak, 100 * kMiB);
  EXPECT_GT(peak, 75 * kMiB)
      << "the limit was never felt";  // blocks count whole, these pieces fill them partly
  EXPECT_EQ(node.stat("device", "used"), 0U);
}

}  // namespace
}  // namespace hami::fake
