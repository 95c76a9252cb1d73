#include "libvgpu/share/line.h"

#include <gtest/gtest.h>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 5000 * kSecond;

class LineTest : public testing::Test {
 protected:
  abi::BoardWaiter waiters_[abi::kBoardWaiters] = {};
};

TEST_F(LineTest, WhoCameFirstIsServedFirst) {
  const Standing first(waiters_, 7, 0, kNow, kNow + kSecond);
  const Standing second(waiters_, 7, 0, kNow + 1, kNow + kSecond);
  EXPECT_FALSE(first.is_behind_own(kNow + 2));
  EXPECT_TRUE(second.is_behind_own(kNow + 2));
}

TEST_F(LineTest, EveryDeviceHasALineOfItsOwn) {
  const Standing first(waiters_, 7, 0, kNow, kNow + kSecond);
  const Standing second(waiters_, 7, 1, kNow + 1, kNow + kSecond);
  EXPECT_FALSE(second.is_behind_own(kNow + 2));
}

TEST_F(LineTest, APlaceEndsWithItsOwner) {
  { const Standing first(waiters_, 7, 0, kNow, kNow + kSecond); }
  const Standing second(waiters_, 7, 0, kNow + 1, kNow + kSecond);
  EXPECT_FALSE(second.is_behind_own(kNow + 2));
}

TEST_F(LineTest, AKilledOneHoldsUpTheOthersNoLongerThanItsLease) {
  waiters_[0].since = kNow;
  waiters_[0].until = kNow + kPlaceLease;
  Standing second(waiters_, 7, 0, kNow + 1, kNow + 10 * kSecond);
  EXPECT_TRUE(second.is_behind_own(kNow + kPlaceLease - 1));
  EXPECT_FALSE(second.is_behind_own(kNow + kPlaceLease));
}

TEST_F(LineTest, AKilledOnesSlotIsUsedAgain) {
  for (auto& waiter : waiters_) {
    waiter.since = kNow;
    waiter.until = kNow + 1;
  }
  const Standing standing(waiters_, 7, 0, kNow + 2, kNow + kSecond);
  EXPECT_LT(standing.place().slot, abi::kBoardWaiters);
}

TEST_F(LineTest, WhoSleptThroughItsLeaseKeepsItsTurn) {
  Standing late(waiters_, 7, 0, kNow, kNow + 100 * kSecond);
  const std::uint64_t awake = kNow + 2 * kPlaceLease;
  const Standing taker(waiters_, 7, 0, awake, awake + kSecond);  // in the slot of the one that slept
  late.renew(awake + 1);
  EXPECT_FALSE(late.is_behind_own(awake + 2));
  EXPECT_TRUE(taker.is_behind_own(awake + 2));
}

TEST_F(LineTest, WhatCannotBeIsNoPlace) {
  EXPECT_FALSE(is_taken({kNow + 1, kNow + 2, 0, 1, 0}, kNow)) << "in the future";
  EXPECT_FALSE(is_taken({kNow - 1, UINT64_MAX, 0, 1, 0}, kNow)) << "held for ever";
  EXPECT_FALSE(is_taken({1, kNow + 1, 0, 1, 0}, kNow)) << "older than anybody waits";
  EXPECT_TRUE(is_taken({kNow - 1, kNow + 1, 0, 1, 0}, kNow));
}

TEST_F(LineTest, WhoIsAboutToGiveUpTriesWithoutItsTurn) {
  const Standing standing(waiters_, 7, 0, kNow, kNow + 10 * kSecond);
  EXPECT_FALSE(standing.is_impatient(kNow + 8 * kSecond));
  EXPECT_TRUE(standing.is_impatient(kNow + 9 * kSecond));
}

TEST_F(LineTest, AFullLineTakesNobodyAndHoldsNobody) {
  for (auto& waiter : waiters_) {
    waiter.since = kNow;
    waiter.until = kNow + kPlaceLease;
    waiter.device = 3;
  }
  Standing standing(waiters_, 7, 0, kNow, kNow + kSecond);
  EXPECT_EQ(standing.place().slot, abi::kBoardWaiters);
  EXPECT_FALSE(standing.is_behind_own(kNow));
  standing.renew(kNow + 1);
}

}  // namespace
}  // namespace hami::vgpu::share
