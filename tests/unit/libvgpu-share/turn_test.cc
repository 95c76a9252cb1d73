#include "libvgpu/share/turn.h"

#include <gtest/gtest.h>

#include <memory>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 100 * kSecond;
constexpr Share kTenth = share_of_percent(10);

class TurnTest : public testing::Test {
 protected:
  TurnTest() {
    kernel_.samples = 5;
    kernel_.cost_ns = 10 * kMillisecond;
    pacer_.budget().take(kNow, kSavings / 10, kTenth);
  }
  // The launch at `now`: false when it may not go at once.
  bool launch(std::uint64_t now, Share share) {
    return batch_.spend(kernel_) || Turn(pacer_, batch_, kernel_, true).step(now, share) == 0;
  }
  abi::CoreBudget shared_ = {};
  std::unique_ptr<Kernels> kernels_ = std::make_unique<Kernels>();
  Pacer pacer_{shared_, *kernels_};
  Batch batch_;
  Kernel kernel_ = {};
};

TEST_F(TurnTest, LooksAgainOftenAndGoesWhenTheTimeHasCome) {
  EXPECT_TRUE(launch(kNow, kTenth));
  EXPECT_FALSE(batch_.spend(kernel_));
  Turn turn(pacer_, batch_, kernel_, true);
  EXPECT_EQ(turn.step(kNow, kTenth), kNow + kLook);
  EXPECT_EQ(turn.step(kNow + 95 * kMillisecond, kTenth), kNow + 100 * kMillisecond);
  EXPECT_EQ(turn.step(kNow + 100 * kMillisecond, kTenth), 0U);
}

TEST_F(TurnTest, AHigherLimitEndsAWaitSooner) {
  launch(kNow, kTenth);
  EXPECT_FALSE(batch_.spend(kernel_));
  Turn turn(pacer_, batch_, kernel_, true);
  turn.step(kNow, kTenth);
  EXPECT_EQ(turn.step(kNow + kLook, Share{}), 0U);
}

TEST_F(TurnTest, TheWholeCardIsNotWaitedFor) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(launch(kNow, Share{}));
}

TEST_F(TurnTest, BatchesCoverSmallKernelsAndStaySmallerThanAMillisecondOfTheShare) {
  kernel_.cost_ns = 5 * kMicrosecond;
  int slow = 0;
  for (int i = 0; i < 1000; ++i) {
    if (batch_.spend(kernel_)) continue;
    ++slow;
    Turn(pacer_, batch_, kernel_, true).step(kNow, kTenth);
    EXPECT_LE(batch_.left_ns, static_cast<std::int64_t>(kLargestBatch / 10));
  }
  EXPECT_LT(slow, 70);
  EXPECT_NEAR(static_cast<double>(pacer_.budget().taken()), 5e6 + kSavings / 10.0, 2e5);
}

TEST_F(TurnTest, ALaunchThatOthersMayWaitForIsNotHeldByASample) {
  Kernel first = {};
  pacer_.samples().launched(pacer_.samples().begin(first), kNow);
  EXPECT_FALSE(batch_.spend(first));
  EXPECT_NE(Turn(pacer_, batch_, first, true).step(kNow + 1, kTenth), 0U);
  EXPECT_EQ(Turn(pacer_, batch_, first, false).step(kNow + 1, kTenth), 0U);
}

TEST_F(TurnTest, AKernelThatDoesNotEndCountsAsLongAsItRan) {
  Kernel first = {};
  pacer_.samples().launched(pacer_.samples().begin(first), kNow);
  EXPECT_EQ(pacer_.hold_until(first, kNow + 2 * kSecond, kTenth), 0U);
  EXPECT_EQ(first.cost(), 2 * kSecond);
}

}  // namespace
}  // namespace hami::vgpu::share
