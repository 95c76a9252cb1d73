#include "libvgpu/share/policy.h"

#include <gtest/gtest.h>

namespace hami::vgpu::share {
namespace {

using abi::CorePolicy;
constexpr Share kLimit = share_of_percent(30);
constexpr Share kWhole{};

Share now(CorePolicy policy, Neighbours neighbours) {
  return share_now(policy, kLimit, kDefaultFloor, neighbours);
}

TEST(Policy, AContainerAloneOnItsCardMayUseAllOfItUnlessTheLimitIsForced) {
  EXPECT_EQ(now(CorePolicy::work_conserving, Neighbours::none), kWhole);
  EXPECT_EQ(now(CorePolicy::force, Neighbours::none), kLimit);
  EXPECT_EQ(now(CorePolicy::disable, Neighbours::none), kWhole);
}

TEST(Policy, WithOthersOnTheCardTheLimitHoldsUnlessItIsDisabled) {
  EXPECT_EQ(now(CorePolicy::work_conserving, Neighbours::some), kLimit);
  EXPECT_EQ(now(CorePolicy::force, Neighbours::some), kLimit);
  EXPECT_EQ(now(CorePolicy::disable, Neighbours::some), kWhole);
  EXPECT_EQ(now(CorePolicy::work_conserving, Neighbours::lesser), kLimit);
}

TEST(Policy, TheLimitHoldsWhenNobodyTellsWhoElseIsThere) {
  EXPECT_EQ(now(CorePolicy::work_conserving, Neighbours::unknown), kLimit);
}

TEST(Policy, ATaskPushedAsideKeepsTheFloorAndNeverMoreThanItsLimit) {
  EXPECT_EQ(now(CorePolicy::disable, Neighbours::important), kDefaultFloor);
  EXPECT_EQ(share_now(CorePolicy::force, share_of_percent(2), kDefaultFloor, Neighbours::important),
            share_of_percent(2));
}

TEST(Policy, OneHundredPercentAndZeroAreTheWholeCard) {
  EXPECT_TRUE(share_of_percent(0).is_whole());
  EXPECT_TRUE(share_of_percent(100).is_whole());
  EXPECT_EQ(share_of_percent(1).thousandths, 10U);
}

class MonitorWordTest : public testing::Test {
 protected:
  Neighbours read(std::int32_t utilization_switch, std::int32_t recent_kernel, std::uint64_t now) {
    return word_.read(utilization_switch, recent_kernel, now, take_back_);
  }
  MonitorWord word_;
  bool take_back_ = false;
};

TEST_F(MonitorWordTest, SaysAloneAndContended) {
  EXPECT_EQ(read(0, 2, kSecond), Neighbours::none);
  EXPECT_EQ(read(1, 2, kSecond), Neighbours::unknown);
}

TEST_F(MonitorWordTest, APauseEndsWithinTwoSecondsWhenTheMonitorDied) {
  EXPECT_EQ(read(1, -1, kSecond), Neighbours::important);
  EXPECT_EQ(read(1, -1, kSecond + kPauseLease - 1), Neighbours::important);
  EXPECT_FALSE(take_back_);
  EXPECT_EQ(read(1, -1, 3 * kSecond), Neighbours::unknown);
  EXPECT_TRUE(take_back_);
}

TEST_F(MonitorWordTest, ALivingMonitorPausesAgain) {
  read(1, -1, kSecond);
  read(1, -1, 3 * kSecond);
  read(1, 0, 3 * kSecond + 1);
  EXPECT_EQ(read(1, -1, 6 * kSecond), Neighbours::important);
}

}  // namespace
}  // namespace hami::vgpu::share
