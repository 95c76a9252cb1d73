#include "libvgpu/share/budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 5000 * kSecond;
constexpr Share kTenth = share_of_percent(10);

class BudgetTest : public testing::Test {
 protected:
  // Uses up what a container may have saved.
  void spend_savings(Share share) { budget_.take(kNow, kSavings * share.thousandths / 1000, share); }
  abi::CoreBudget shared_ = {};
  Budget budget_{shared_};
};

TEST_F(BudgetTest, ALaunchWaitsExactlyUntilTheOneBeforeItIsEarned) {
  spend_savings(kTenth);
  EXPECT_EQ(budget_.take(kNow, kMillisecond, kTenth), kNow);
  EXPECT_EQ(budget_.take(kNow, kMillisecond, kTenth), kNow + 10 * kMillisecond);
  EXPECT_EQ(budget_.take(kNow, kMillisecond, kTenth), kNow + 20 * kMillisecond);
}

TEST_F(BudgetTest, AnIdleHourSavesNoMoreThanTheCap) {
  budget_.take(kNow, kMillisecond, kTenth);
  const std::uint64_t later = kNow + 3600 * kSecond;
  EXPECT_EQ(budget_.take(later, 3 * kMillisecond, kTenth), later - kSavings);
  EXPECT_EQ(budget_.take(later, kMillisecond, kTenth), later);
}

TEST_F(BudgetTest, ALowerShareMakesADebtLongerAndAHigherOneShorter) {
  spend_savings(kTenth);
  budget_.take(kNow, 10 * kMillisecond, kTenth);  // 100 ms
  EXPECT_EQ(budget_.take(kNow, 0, share_of_percent(50)), kNow + 20 * kMillisecond);
  EXPECT_EQ(budget_.take(kNow, 0, share_of_percent(1)), kNow + kSecond);
}

TEST_F(BudgetTest, WhoUsedTheWholeCardHasSavedNothing) {
  budget_.note(kNow, kMillisecond);
  EXPECT_EQ(budget_.take(kNow + kSecond, kMillisecond, kTenth), kNow + kSecond);
}

TEST_F(BudgetTest, AWaitThatHasBegunFollowsTheShare) {
  const std::uint64_t start = kNow + kSecond;
  EXPECT_EQ(budget_.restated(kNow, start, kTenth, share_of_percent(50)), kNow + kSecond / 5);
  EXPECT_EQ(budget_.restated(kNow, start, kTenth, Share{}), kNow);
  EXPECT_EQ(budget_.restated(kNow, start, kTenth, kTenth), start);
}

TEST_F(BudgetTest, WhatWasEstimatedTooLowIsPaidLaterAndTooHighComesBack) {
  spend_savings(kTenth);
  budget_.take(kNow, kMillisecond, kTenth);
  budget_.settle(kNow, 4 * kMillisecond, kTenth);
  EXPECT_EQ(budget_.take(kNow, 0, kTenth), kNow + 50 * kMillisecond);
  budget_.settle(kNow, -3 * static_cast<std::int64_t>(kMillisecond), kTenth);
  EXPECT_EQ(budget_.take(kNow, 0, kTenth), kNow + 20 * kMillisecond);
  EXPECT_EQ(budget_.taken(), 2 * kMillisecond + kSavings / 10);
}

TEST_F(BudgetTest, ASpoiltPageHoldsNobodyForEver) {
  shared_.paid_until.store(UINT64_MAX);
  shared_.correction.store(UINT32_MAX);
  shared_.share.store(UINT32_MAX);
  EXPECT_LE(budget_.take(kNow, UINT64_MAX, kTenth), kNow + kLongestDebt);
  budget_.settle(kNow, INT64_MAX, kTenth);
  budget_.settle(kNow, INT64_MIN + 1, kTenth);
  EXPECT_LE(budget_.take(kNow, kMillisecond, kTenth), kNow + kLongestDebt);
}

TEST_F(BudgetTest, ThreadsTogetherGetOneShare) {
  spend_savings(kTenth);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int k = 0; k < 1000; ++k) budget_.take(kNow, kMicrosecond, kTenth);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(budget_.take(kNow, 0, kTenth), kNow + 40 * kMillisecond);
}

TEST_F(BudgetTest, MeasuredLaunchesOfSeveralProcessesAddUpToTheTimeThatPassed) {
  EXPECT_EQ(budget_.own_part(kNow + 10 * kMillisecond, 10 * kMillisecond, 1), 10 * kMillisecond);
  EXPECT_NEAR(static_cast<double>(budget_.own_part(kNow + 12 * kMillisecond, 12 * kMillisecond, 2)),
              2.0 * kMillisecond, 1024);
  EXPECT_EQ(budget_.own_part(kNow + 12 * kMillisecond, 5 * kMillisecond, 2), 5 * kMillisecond)
      << "of one process they follow each other";
}

TEST_F(BudgetTest, TheOuterCorrectionScalesWhatIsTaken) {
  spend_savings(kTenth);
  budget_.set_correction(kNoCorrection * 2);
  budget_.take(kNow, kMillisecond, kTenth);
  EXPECT_EQ(budget_.take(kNow, 0, kTenth), kNow + 20 * kMillisecond);
}

TEST_F(BudgetTest, AContainerIsActiveUntilItsLaunchesHaveEndedAndALittleLonger) {
  EXPECT_FALSE(is_active(shared_, kNow));
  budget_.note(kNow, kSecond);
  EXPECT_TRUE(is_active(shared_, kNow + kSecond));
  EXPECT_FALSE(is_active(shared_, kNow + kSecond + kStillActive));
}

}  // namespace
}  // namespace hami::vgpu::share
