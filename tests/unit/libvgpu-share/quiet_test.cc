#include "libvgpu/share/quiet.h"

#include <gtest/gtest.h>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 5000 * kSecond;

class QuietTest : public testing::Test {
 protected:
  QuietTest() {
    kernel_.samples = 1;
    kernel_.cost_ns = 2 * kMillisecond;
    quiet_.attach({&others_, &board_, 7, 1});
    neighbour_.busy_until = kNow + 5 * kMillisecond;
    tell();
  }
  void tell() { others_.update(&neighbour_, 1); }
  std::uint64_t wait(std::uint64_t now) { return quiet_.wait(kernel_, now, 0, false, asks_, clean_until_); }
  void outrank_the_neighbour() {
    neighbour_.priority = 2;
    tell();
  }
  // Asks for quiet and waits until the neighbour's queue has ended.
  std::uint64_t get_quiet() {
    for (std::uint64_t now = kNow;;) {
      const std::uint64_t again = wait(now);
      if (again == 0) return now;
      now = again;
    }
  }
  Neighbourhood others_;
  abi::BoardDevice board_ = {};
  Neighbour neighbour_ = {1, 1, 0, 0, 0};
  Kernel kernel_ = {};
  Quiet quiet_;
  bool asks_ = false;
  std::uint64_t clean_until_ = 0;
};

TEST_F(QuietTest, AloneOnTheCardEveryMeasurementCounts) {
  others_.update(nullptr, 0);
  EXPECT_EQ(wait(kNow), 0U);
  EXPECT_TRUE(quiet_.was_clean(clean_until_, kNow + 1, kNow + 2));
  tell();
  EXPECT_FALSE(quiet_.was_clean(clean_until_, kNow + 1, kNow + 2)) << "somebody came in between";
}

TEST_F(QuietTest, AmongOthersAKernelIsMeasuredWhenTheirQueuesHaveEnded) {
  EXPECT_GT(wait(kNow), kNow);
  EXPECT_EQ(board_.quiet_from, kNow);
  EXPECT_GT(board_.quiet_until, kNow);
  const std::uint64_t start = get_quiet();
  EXPECT_GE(start, neighbour_.busy_until);
  EXPECT_TRUE(quiet_.was_clean(clean_until_, start + 2 * kMillisecond, start + kSecond));
  quiet_.release(start + 2 * kMillisecond);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, WhatEndedAfterTheQuietWasGivenBackIsNotClean) {
  const std::uint64_t start = get_quiet();
  quiet_.release(start + kMillisecond);
  EXPECT_TRUE(quiet_.was_clean(clean_until_, start + kMillisecond, start + kSecond));
  EXPECT_FALSE(quiet_.was_clean(clean_until_, start + kMillisecond + 1, start + kSecond));
}

TEST_F(QuietTest, AKnownCostOrALongKernelIsNotAskedForAgainSoon) {
  kernel_.clean_at = kNow - kMillisecond;
  EXPECT_EQ(wait(kNow), 0U);
  EXPECT_EQ(clean_until_, 0U);
  kernel_.clean_at = 0;
  kernel_.cost_ns = kSecond;
  EXPECT_EQ(wait(kNow), 0U);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, AnotherRequestThatCameFirstGoesFirst) {
  neighbour_.quiet_from = kNow - 1;
  neighbour_.quiet_until = kNow + 10 * kMillisecond;
  tell();
  EXPECT_GT(wait(kNow), kNow);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, RequestsFollowEachOtherWithAPause) {
  const std::uint64_t start = get_quiet();
  quiet_.release(start);
  asks_ = false;  // another launch
  EXPECT_EQ(wait(start + kMillisecond), 0U);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, QuietIsForOneLaunchOfTheContainer) {
  const std::uint64_t start = get_quiet();
  bool asks = false;
  std::uint64_t clean_until = 0;
  EXPECT_GT(quiet_.wait(kernel_, start, 0, false, asks, clean_until), start) << "another thread";
  Quiet sibling;
  sibling.attach({&others_, &board_, 7, 1});
  EXPECT_GT(sibling.wait(kernel_, start, 0, false, asks, clean_until), start) << "another process";
  quiet_.release(start + kMillisecond);
  EXPECT_EQ(quiet_.wait(kernel_, start + kMillisecond, 0, false, asks, clean_until), 0U);
}

TEST_F(QuietTest, TheQuietOfAKilledProcessEnds) {
  get_quiet();
  const std::uint64_t until = board_.quiet_until;
  bool asks = false;
  std::uint64_t clean_until = 0;
  Quiet sibling;
  sibling.attach({&others_, &board_, 7, 1});
  sibling.wait(kernel_, until, 0, false, asks, clean_until);
  EXPECT_TRUE(asks);
  EXPECT_EQ(board_.quiet_from, until);
}

TEST_F(QuietTest, TheMostImportantTaskWaitsForNobody) {
  outrank_the_neighbour();
  neighbour_.quiet_from = kNow - 1;
  neighbour_.quiet_until = kNow + 10 * kMillisecond;
  tell();
  EXPECT_EQ(wait(kNow), 0U) << "another asks for quiet";
  EXPECT_EQ(clean_until_, 0U);
}

TEST_F(QuietTest, TheMostImportantTaskMeasuresWhenTheOthersHaveEndedAnyway) {
  outrank_the_neighbour();
  EXPECT_EQ(wait(kNow), 0U);
  EXPECT_EQ(clean_until_, 0U);
  EXPECT_GT(board_.quiet_until, kNow);
  EXPECT_EQ(wait(kNow + 9 * kMillisecond), 0U);
  EXPECT_EQ(clean_until_, board_.quiet_until);
}

TEST_F(QuietTest, TheMostImportantTaskWithoutALimitAsksForNothing) {
  outrank_the_neighbour();
  EXPECT_EQ(quiet_.wait(kernel_, kNow, 0, true, asks_, clean_until_), 0U);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, AmongMoreImportantOnesATaskAsksForNothing) {
  neighbour_.priority = 0;
  tell();
  EXPECT_EQ(wait(kNow), 0U);
  EXPECT_EQ(clean_until_, 0U);
  EXPECT_EQ(board_.quiet_until, 0U);
}

TEST_F(QuietTest, TellsTheLatestTimeOfItsProcesses) {
  quiet_.tell_busy(kNow + 5, kNow);
  quiet_.tell_busy(kNow + 3, kNow);
  EXPECT_EQ(board_.busy_until, kNow + 5);
  board_.busy_until = UINT64_MAX;
  quiet_.tell_busy(kNow + 3, kNow);
  EXPECT_EQ(board_.busy_until, kNow + 3) << "a spoilt board";
}

}  // namespace
}  // namespace hami::vgpu::share
