#include "runtime-shim/schedulers/match.h"

#include <vector>

#include <gtest/gtest.h>

namespace hami::schedulers {
namespace {

Group one(const char* uuid, std::int32_t memory, std::int32_t cores) {
  return {{uuid, "NVIDIA", memory, cores}};
}

Evidence evidence(std::vector<std::string> devices, std::vector<std::optional<std::uint64_t>> memory,
                  std::optional<std::uint32_t> cores = {}) {
  Evidence out;
  out.devices = std::move(devices);
  out.memory = std::move(memory);
  out.cores = cores;
  return out;
}

TEST(MatchGroup, GivesNothingToAContainerWithoutEvidence) {
  EXPECT_EQ(match_group({one("GPU-a", 3000, 30)}, {}, {}).kind, Match::Kind::none);
}

TEST(MatchGroup, FindsTheGroupWhereverPaddingPutIt) {
  const Evidence mine = evidence({}, {3000});

  EXPECT_EQ(match_group({one("GPU-a", 3000, 30)}, mine, {}).group, 0U);
  EXPECT_EQ(match_group({{}, one("GPU-a", 3000, 30)}, mine, {}).group, 1U);
  EXPECT_EQ(match_group({one("GPU-a", 1000, 0), {}, one("GPU-b", 3000, 0)}, mine, {}).group, 2U);
}

TEST(MatchGroup, PrefersTheDevicesThatTheContainerHas) {
  const std::vector<Group> groups{one("GPU-a", 3000, 0), one("GPU-b", 5000, 0)};

  const Match got = match_group(groups, evidence({"GPU-b"}, {5000}, 0), {});

  EXPECT_EQ(got.kind, Match::Kind::group);
  EXPECT_EQ(got.group, 1U);
}

TEST(MatchGroup, TakesTheLowestFreeOfEqualGroups) {
  const std::vector<Group> groups{one("GPU-a", 3000, 0), one("GPU-a", 3000, 0)};

  EXPECT_EQ(match_group(groups, evidence({"GPU-a"}, {3000}), {}).group, 0U);
  EXPECT_EQ(match_group(groups, evidence({"GPU-a"}, {3000}), {0}).group, 1U);
}

TEST(MatchGroup, DoesNotGuessBetweenDifferentGroups) {
  const std::vector<Group> groups{one("GPU-a", 3000, 0), one("GPU-b", 3000, 0)};

  EXPECT_EQ(match_group(groups, evidence({"GPU-c"}, {3000}), {}).kind, Match::Kind::evidence_alone);
  EXPECT_EQ(match_group(groups, evidence({}, {3000}), {}).kind, Match::Kind::evidence_alone);
}

TEST(MatchGroup, AcceptsOtherDevicesWhenTheAmountsFitOneGroup) {
  const Match got = match_group({one("GPU-a", 3000, 0)}, evidence({"GPU-c"}, {3000}, 0), {});

  EXPECT_EQ(got.kind, Match::Kind::group);
  EXPECT_TRUE(got.identities_differ);
}

TEST(MatchGroup, ComparesTheCardOfAMigSlice) {
  EXPECT_EQ(match_group({one("GPU-a[1-0]", 10240, 0)}, evidence({"GPU-a"}, {}), {}).kind, Match::Kind::group);
}

TEST(MatchGroup, TellsGroupsApartByTheirCoresAlone) {
  const std::vector<Group> groups{one("GPU-a", 3000, 30), one("GPU-a", 3000, 60)};

  const Match got = match_group(groups, evidence({"GPU-a"}, {3000}, 60), {});

  EXPECT_EQ(got.kind, Match::Kind::group);
  EXPECT_EQ(got.group, 1U);
  EXPECT_FALSE(got.amounts_differ);
}

TEST(MatchGroup, EveryDeviceThatIsShownMustBeRecorded) {
  const std::vector<Group> groups{{{"GPU-a", "NVIDIA", 3000, 0}, {"GPU-a", "NVIDIA", 3000, 0}}};

  const Match got = match_group(groups, evidence({"GPU-a", "GPU-b"}, {3000, 3000}), {});

  EXPECT_TRUE(got.identities_differ) << "GPU-b is in no record";
}

TEST(MatchGroup, DoesNotChooseBetweenGroupsOfItsDevicesWhenNoneHasItsAmounts) {
  const std::vector<Group> groups{one("GPU-a", 3000, 0), one("GPU-a", 5000, 0)};

  EXPECT_EQ(match_group(groups, evidence({"GPU-a"}, {4000}), {}).kind, Match::Kind::contradiction);
}

TEST(MatchGroup, IgnoresAnAnnotationThatDoesNotFit) {
  const Match got = match_group({one("GPU-a", 3000, 0)}, evidence({"GPU-a", "GPU-b"}, {3000, 3000}), {});

  EXPECT_EQ(got.kind, Match::Kind::evidence_alone);
  EXPECT_FALSE(got.warning.empty());
}

}  // namespace
}  // namespace hami::schedulers
