#include "libvgpu/share/samples.h"

#include <gtest/gtest.h>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 100 * kSecond;

class SamplesTest : public testing::Test {
 protected:
  SamplesTest() { known_.cost_ns = kMillisecond, known_.samples = 5; }
  std::uint64_t hold(const Kernel& kernel, std::uint64_t now) {
    return samples_.hold_until(kernel, now, kQueueDepth, given_up_);
  }
  void launch(Kernel& kernel) { samples_.launched(samples_.begin(kernel), kNow); }
  Kernel known_ = {};
  Kernel unknown_ = {};
  Samples samples_;
  int given_up_ = -1;
};

TEST_F(SamplesTest, TheSecondLaunchOfAnUnmeasuredKernelWaitsForTheFirst) {
  launch(unknown_);
  EXPECT_GT(hold(unknown_, kNow + 1), kNow + 1);
  EXPECT_EQ(hold(known_, kNow + 1), 0U);
  samples_.end(0);
  EXPECT_EQ(hold(unknown_, kNow + 1), 0U);
}

TEST_F(SamplesTest, AQueueThatIsTooDeepHoldsEveryLaunchUntilASampleEnds) {
  samples_.note_launched(10 * kMillisecond);
  launch(known_);
  samples_.note_launched(40 * kMillisecond);
  EXPECT_EQ(hold(known_, kNow), 0U);
  samples_.note_launched(5 * kMillisecond);
  EXPECT_GT(hold(known_, kNow), 0U);
  EXPECT_GT(hold(unknown_, kNow), 0U);
  samples_.note_ended(0);
  EXPECT_EQ(hold(known_, kNow), 0U);
}

TEST_F(SamplesTest, NobodyWaitsLongerThanTheLongestHold) {
  launch(unknown_);
  EXPECT_EQ(hold(unknown_, kNow + kLongestHold + 1), 0U);
  EXPECT_EQ(given_up_, 0);
  EXPECT_EQ(hold(unknown_, kNow + kLongestHold + 2), 0U);
  EXPECT_EQ(given_up_, -1) << "one launch learns from it";
}

TEST_F(SamplesTest, AReservedSlotHoldsNobodyAndSlotsRunOut) {
  for (int i = 0; i < Samples::kSlots; ++i) EXPECT_EQ(samples_.begin(unknown_), i);
  EXPECT_EQ(samples_.begin(unknown_), -1);
  EXPECT_EQ(hold(unknown_, kNow), 0U);
}

TEST_F(SamplesTest, AreSeenInTheOrderOfTheirLaunches) {
  for (int i = 0; i < 3; ++i) samples_.begin(known_);
  samples_.launched(1, kNow);
  samples_.launched(0, kNow + 2);
  samples_.launched(2, kNow + 1);
  int slots[Samples::kSlots] = {};
  ASSERT_EQ(samples_.in_order(slots), 3);
  EXPECT_EQ(slots[0], 1);
  EXPECT_EQ(slots[1], 2);
  EXPECT_EQ(slots[2], 0);
}

TEST(Span, OfALaunchAloneIsItsTime) { EXPECT_EQ(own_part({.elapsed = 100}), 100U); }

TEST(Span, CountsTimeThatAnotherStreamsLaunchCoversOnce) {
  const auto part = [](std::uint64_t elapsed, std::int64_t begin_gap, std::int64_t end_gap) {
    return own_part({.elapsed = elapsed, .has_other = true, .begin_gap = begin_gap, .end_gap = end_gap});
  };
  EXPECT_EQ(part(100, 500, 500), 100U) << "after it";
  EXPECT_EQ(part(100, 70, 70), 70U) << "begins within it";
  EXPECT_EQ(part(100, 0, 0), 0U) << "with it";
  EXPECT_EQ(part(100, 10, -90), 0U) << "within it";
  EXPECT_EQ(part(100, -30, -30), 30U) << "ends within it";
  EXPECT_EQ(part(100, -500, -500), 100U) << "before it";
}

}  // namespace
}  // namespace hami::vgpu::share
