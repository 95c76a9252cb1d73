// A container that was given an instance of a divided card: what CUDA and NVML say of it, and that a limit
// below the instance's size holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFirst = "MIG-5a4d0a8e-7c31-4f6b-9e1d-000000002001";
const std::string kSecond = "MIG-5a4d0a8e-7c31-4f6b-9e1d-000000002002";

class Mig : public ::testing::Test {
 protected:
  Mig() : container_(node_, {3000}) {
    // The second instance instead of the card.
    std::strncpy(container_.slice().devices[0].uuid, kSecond.c_str(),
                 sizeof container_.slice().devices[0].uuid - 1);
    abi::seal(container_.slice());
    abi::init_usage_page(&container_.page(), container_.slice());
  }
  std::string nvml(const std::string& instance) const {
    return container_.run({HAMI_BUILD_DIR "/bin/vgpu-nvml", "show", "0", instance}).out;
  }

  SimNode node_{"cuda_version = 13.0\n[gpu]\ncontext_mib = 100\n[mig]\n[mig]\n"};
  Container container_;
  const Environment visible_ = {{"CUDA_VISIBLE_DEVICES", kSecond}};
};

TEST_F(Mig, ADividedCardIsItsInstances) {
  EXPECT_THAT(node_.run({client(), "info"}).out, HasSubstr("total 4864 MiB"));
  EXPECT_THAT(node_.run({client(), "info"}, {{"CUDA_VISIBLE_DEVICES", kFirst + "," + kSecond}}).out,
              HasSubstr("total 4864 MiB"))
      << "no more than one";
  EXPECT_THAT(node_.run({HAMI_BUILD_DIR "/bin/vgpu-nvml", "show", "0", "3"}).out,
              HasSubstr("instance: 6, 0"));
}

TEST_F(Mig, TheSliceOfAnInstanceIsShownAndHeld) {
  EXPECT_THAT(container_.run({client(), "info"}, visible_).out, HasSubstr("total 3000 MiB"));
  EXPECT_THAT(container_.run({client(), "--strict", "alloc", "2900"}, visible_).out,
              HasSubstr("2900 MiB: CUDA_SUCCESS"));
  EXPECT_THAT(container_.run({client(), "--strict", "alloc", "2902"}, visible_).out,
              HasSubstr("CUDA_ERROR_OUT_OF_MEMORY"));
  EXPECT_LE(node_.stat("device", "peak", "index=2 "), 3000 * kMiB);
  EXPECT_EQ(node_.stat("device", "peak", "index=1 "), 0U);
}

TEST_F(Mig, AnotherInstanceCannotBeUsed) {
  EXPECT_THAT(container_.run({client(), "--strict", "alloc", "10"}, {{"CUDA_VISIBLE_DEVICES", kFirst}}).out,
              Not(HasSubstr("10 MiB: CUDA_SUCCESS")));
  EXPECT_THAT(nvml("1"), HasSubstr("memory: 4")) << "no permission";
}

TEST_F(Mig, NvmlAgreesWithCuda) {
  const pid_t pid = container_.start("holder", {client(), "--hold", "30", "alloc", "500"}, visible_);
  ASSERT_TRUE(eventually([&] { return container_.committed() == 600 * kMiB; }))
      << "with what NVML says of the context";

  const std::string seen = nvml("2");

  EXPECT_THAT(seen, HasSubstr("instance: 0, 1\n"));
  EXPECT_THAT(seen, HasSubstr("memory: 0, 600 MiB of 3000 MiB\n"));
  EXPECT_THAT(seen, HasSubstr("compute processes: 0, 1\n"));
  EXPECT_THAT(seen, HasSubstr("rates: 3,")) << "NVML does not know how busy an instance is";
  EXPECT_THAT(nvml("0"), HasSubstr("compute processes: 0, 0\n")) << "the card's other tenants are hidden";
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace hami::fake
