#include "libvgpu/share/neighbours.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace hami::vgpu::share {
namespace {

constexpr std::uint64_t kNow = 5000 * kSecond;
constexpr std::uint64_t kOwn = 7;

class NeighbourhoodTest : public testing::Test {
 protected:
  void tell(std::initializer_list<Neighbour> found) {
    const std::vector<Neighbour> all(found);
    others_.update(all.data(), static_cast<unsigned>(all.size()));
  }
  static Neighbour busy(std::int32_t priority, std::uint64_t until) { return {1, priority, until, 0, 0}; }
  static Neighbour asking(std::uint64_t id, std::uint64_t from, std::uint64_t until) {
    return {id, 1, kNow, from, until};
  }
  Neighbourhood others_;
};

TEST_F(NeighbourhoodTest, NobodyKnowsAnythingWithoutBoards) {
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::unknown);
  tell({});
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::none);
}

TEST_F(NeighbourhoodTest, WhoWorksCountsUntilALittleAfterTheEnd) {
  tell({busy(1, kNow)});
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::some);
  EXPECT_EQ(others_.who(kNow + kStillActive, 1), Neighbours::none);
}

TEST_F(NeighbourhoodTest, OnlyASmallerNumberIsMoreImportant) {
  tell({busy(1, kNow)});
  EXPECT_EQ(others_.who(kNow, 2), Neighbours::important);
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::some);
  EXPECT_EQ(others_.who(kNow, 0), Neighbours::lesser);
}

TEST_F(NeighbourhoodTest, WhoHasAnEqualBesideLesserOnesIsNotTheMostImportant) {
  tell({busy(1, kNow), busy(0, kNow)});
  EXPECT_EQ(others_.who(kNow, 0), Neighbours::some);
  tell({busy(0, kNow), busy(1, kNow)});
  EXPECT_EQ(others_.who(kNow, 0), Neighbours::some);
}

TEST_F(NeighbourhoodTest, AnIdleImportantOneMayComeAtAnyMoment) {
  tell({busy(1, 0)});
  EXPECT_EQ(others_.who(kNow, 2), Neighbours::none);
  EXPECT_TRUE(others_.may_be_pushed_aside(2));
  EXPECT_FALSE(others_.may_be_pushed_aside(1));
}

TEST_F(NeighbourhoodTest, KeepsQuietForWhoAskedFirst) {
  tell({asking(1, kNow - 10, kNow + kMillisecond)});
  EXPECT_EQ(others_.quiet_for_others(kNow, 0, kOwn, 1), kNow + kMillisecond);
  EXPECT_EQ(others_.quiet_for_others(kNow, kNow - 11, kOwn, 1), 0U);
  EXPECT_EQ(others_.quiet_for_others(kNow, kNow - 10, kOwn, 1), kNow + kMillisecond)
      << "the smaller id is first";
}

TEST_F(NeighbourhoodTest, ARequestThatIsOverTooLongOrInTheFutureIsNone) {
  tell({asking(1, kNow - 10, kNow), asking(2, kNow - 10, kNow - 10 + kLongestQuiet + 1),
        asking(3, kNow + 1, kNow + 2), asking(4, kNow - 10, UINT64_MAX), asking(5, UINT64_MAX, UINT64_MAX)});
  EXPECT_EQ(others_.quiet_for_others(kNow, 0, kOwn, 1), 0U);
}

TEST_F(NeighbourhoodTest, HostileRequestsTakeNoMoreThanTheirPartOfTheTime) {
  std::uint64_t quiet = 0;
  constexpr std::uint64_t kStep = kMillisecond / 2;
  constexpr std::uint64_t kLength = 20 * kSecond;
  for (std::uint64_t now = kNow; now < kNow + kLength; now += kStep) {
    tell({asking(1, now, now + kMillisecond), asking(2, now, now + kLongestQuiet),
          asking(3, now, now + kLongestQuiet / 2)});
    if (others_.quiet_for_others(now, 0, kOwn, 1) != 0) quiet += kStep;
  }
  EXPECT_LE(quiet, kLength / kQuietParts + 2 * kLongestQuiet);
}

TEST_F(NeighbourhoodTest, TheirQueuesEndOneAfterTheOther) {
  tell({busy(1, kNow + kMillisecond), busy(1, kNow + 3 * kMillisecond), busy(1, kNow - 1),
        busy(1, UINT64_MAX)});
  EXPECT_EQ(others_.drained_at(kNow), kNow + 4 * kMillisecond);
}

TEST_F(NeighbourhoodTest, MoreNeighboursThanItKnowsAreLeftOut) {
  const std::vector<Neighbour> many(100, busy(0, kNow));
  others_.update(many.data(), 100);
  EXPECT_EQ(others_.who(kNow, 1), Neighbours::important);
}

}  // namespace
}  // namespace hami::vgpu::share
