#include "libvgpu/share/kernels.h"

#include <gtest/gtest.h>

#include <memory>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 5000 * kSecond;

class KernelsTest : public testing::Test {
 protected:
  Kernel& kernel(int number, std::uint64_t blocks = 1) {
    return kernels_->find(launch_key({.function = &functions_[number], .grid = {blocks, 1, 1}}));
  }
  char functions_[5000] = {};
  std::unique_ptr<Kernels> kernels_ = std::make_unique<Kernels>();
};

TEST_F(KernelsTest, TheFirstSampleIsTheCostAndSettlesEveryEstimate) {
  Kernel& one = kernel(0);
  EXPECT_EQ(one.cost(), kFirstEstimate);
  one.unsampled = 3;
  EXPECT_EQ(kernels_->learn(one, kFirstEstimate + 100, Seen::alone, kNow), 300);
  EXPECT_EQ(one.cost(), kFirstEstimate + 100);
  EXPECT_TRUE(one.is_measured());
}

TEST_F(KernelsTest, ShapesOfOneFunctionCostTheirOwn) {
  EXPECT_NE(&kernel(0, 1), &kernel(0, 2));
  EXPECT_NE(&kernel(0), &kernel(1));
  EXPECT_EQ(&kernel(0), &kernel(0));
}

TEST_F(KernelsTest, ANewKernelIsEstimatedAsTheOthersWereMeasured) {
  for (int i = 0; i < 20; ++i) kernels_->learn(kernel(i), kMillisecond, Seen::alone, kNow);
  EXPECT_NEAR(static_cast<double>(kernel(100).cost()), kMillisecond, kMillisecond / 50);
}

TEST_F(KernelsTest, OneOutlierMovesALearnedCostLittle) {
  Kernel& one = kernel(0);
  for (int i = 0; i < 20; ++i) kernels_->learn(one, kMillisecond, Seen::alone, kNow);
  kernels_->learn(one, kSecond, Seen::alone, kNow);
  EXPECT_LT(one.cost(), 3 * kMillisecond / 2);
}

TEST_F(KernelsTest, ASampleOfBrokenQuietNeedsASecondOne) {
  Kernel& one = kernel(0);
  kernels_->learn(one, kMillisecond, Seen::in_quiet, kNow);
  kernels_->learn(one, kMillisecond, Seen::in_quiet, kNow);
  EXPECT_EQ(kernels_->learn(one, 9 * kMillisecond, Seen::in_quiet, kNow), 0);
  EXPECT_EQ(one.cost(), kMillisecond);
  kernels_->learn(one, kMillisecond, Seen::in_quiet, kNow);
  kernels_->learn(one, 9 * kMillisecond, Seen::in_quiet, kNow);
  EXPECT_EQ(one.cost(), kMillisecond) << "a good one lies between";
  for (int i = 0; i < 20; ++i) kernels_->learn(one, 3 * kMillisecond, Seen::in_quiet, kNow);
  EXPECT_NEAR(static_cast<double>(one.cost()), 3.0 * kMillisecond, 0.2 * kMillisecond)
      << "it has become longer";
}

TEST_F(KernelsTest, AShorterSampleInQuietCountsAtOnce) {
  Kernel& one = kernel(0);
  for (int i = 0; i < 8; ++i) kernels_->learn(one, 3 * kMillisecond, Seen::in_quiet, kNow);
  kernels_->learn(one, kMillisecond, Seen::in_quiet, kNow);
  EXPECT_EQ(one.cost(), kMillisecond);
}

TEST_F(KernelsTest, FollowsAKernelThatBecomesSlower) {
  Kernel& one = kernel(0);
  for (int i = 0; i < 20; ++i) kernels_->learn(one, kMillisecond, Seen::alone, kNow);
  for (int i = 0; i < 40; ++i) kernels_->learn(one, 3 * kMillisecond, Seen::alone, kNow);
  EXPECT_NEAR(static_cast<double>(one.cost()), 3.0 * kMillisecond, 0.05 * kMillisecond);
}

TEST_F(KernelsTest, AForgottenKernelIsUnmeasured) {
  kernels_->learn(kernel(0), kMillisecond, Seen::alone, kNow);
  kernels_->forget(launch_key({.function = &functions_[0]}));
  EXPECT_FALSE(kernel(0).is_measured());
}

TEST_F(KernelsTest, MoreShapesThanTheTableHoldsShareEntries) {
  for (int i = 0; i < 5000; ++i) EXPECT_GT(kernel(i).cost(), 0U);
  kernels_->clear();
  EXPECT_FALSE(kernel(0).is_measured());
}

}  // namespace
}  // namespace hami::vgpu::share
