// The default stream of each thread stays one of its own under our functions.
#include <gtest/gtest.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

class DefaultStream : public ::testing::Test {
 protected:
  std::string run(const char* flags) {
    const Container container(node_, {1000});
    const Outcome result = container.run({HAMI_BUILD_DIR "/tests/vgpu-threads", flags});
    return result.out + result.err;
  }
  SimNode node_{"cuda_version = 13.0\nvirtual_clock = 1\n"};
};

TEST_F(DefaultStream, OfEachThreadRunsBesideTheOthers) { EXPECT_EQ(run("2"), "0 wrong, 1000 us\n"); }

TEST_F(DefaultStream, OfThePastIsOneForAllThreads) { EXPECT_EQ(run("1"), "0 wrong, 2000 us\n"); }

}  // namespace
}  // namespace hami::fake
