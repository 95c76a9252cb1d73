// Modes that containers choose: who may, which devices serve one, and what a container then gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/allocation.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using vendors::Mode;

constexpr const char* kMode = "nvidia.com/vgpu-mode";
using Words = std::map<std::string, std::string>;

// Two whole cards, and two partitions of a third.
class Modes : public ::testing::Test {
 protected:
  Modes() : node_{testing::recipe(), testing::inventory(2)} {
    node_.recipe.resources.mode = {kMode};
    for (const Mode mode : vendors::kModes)
      node_.recipe.modes[std::string(to_text(mode))] = node_.recipe.slice;
    for (const std::uint64_t mib : {20096, 9984}) {
      vendors::Device part = node_.inventory.devices.back();
      part.index = static_cast<std::uint32_t>(node_.inventory.devices.size());
      part.uuid = text::cat({"MIG-", text::number(mib)});
      part.memory = Bytes::mib(mib);
      part.parent = "GPU-9";
      node_.inventory.devices.push_back(part);
    }
    policy_.allowed_modes.assign(vendors::kModes.begin(), vendors::kModes.end());
  }

  Result<std::vector<Grant>> ask(Words words) {
    words.emplace("nvidia.com/gpu", "1");
    HAMI_TRY(const auto request, parse_request(testing::annotated(words), {node_.recipe}, policy_));
    HAMI_TRY(auto allocation, allocate(*request, {node_}, leases_, policy_));
    return allocation.vendors.front().grants;
  }
  // The grant's device, or the error.
  std::string device(const Words& words) {
    const auto grants = ask(words);
    if (!grants) return grants.error().line();
    leases_.emplace_back().holdings = {grants->front().holding};
    return grants->front().uuid;
  }

  VendorNode node_;
  Policy policy_;
  std::vector<state::Lease> leases_;
};

TEST_F(Modes, MigIsTheSmallestPartitionThatIsLargeEnoughAndIsWhole) {
  const Words words{{kMode, "mig"}, {"nvidia.com/gpumem", "9000"}, {"nvidia.com/gpucores", "30"}};
  const auto grants = ask(words);
  ASSERT_TRUE(grants) << grants.error().line();
  EXPECT_EQ(grants->front().uuid, "MIG-9984");
  EXPECT_FALSE(grants->front().is_slice());
  EXPECT_TRUE(grants->front().holding.exclusive);
  EXPECT_EQ(device(words), "MIG-9984");
  EXPECT_EQ(device(words), "MIG-20096");
  EXPECT_THAT(device(words), HasSubstr("mode mig"));
}

TEST_F(Modes, APartitionSmallerThanTheRequestIsNoPartition) {
  EXPECT_EQ(device({{kMode, "mig"}, {"nvidia.com/gpumem", "10000"}}), "MIG-20096");
  EXPECT_THAT(device({{kMode, "mig"}, {"nvidia.com/gpumem", "21000"}}), HasSubstr("not enough memory"));
}

TEST_F(Modes, TheLibraryHoldsPartsOfWholeCardsOnly) {
  const auto grants = ask({{kMode, "hami-core"}, {"nvidia.com/gpumem", "3000"}});
  ASSERT_TRUE(grants) << grants.error().line();
  EXPECT_EQ(grants->front().uuid, "GPU-0");
  EXPECT_EQ(grants->front().memory_limit, Bytes::mib(3000));
  EXPECT_THAT(device({{kMode, "hami-core"}, {"nvidia.com/use-gpuuuid", "MIG-9984"}}),
              HasSubstr("of what this node has none"));
}

TEST_F(Modes, NoneIsAWholeCardAloneWithoutLimits) {
  const auto grants = ask({{kMode, "none"}, {"nvidia.com/gpumem", "3000"}});
  ASSERT_TRUE(grants) << grants.error().line();
  EXPECT_FALSE(grants->front().is_slice());
  EXPECT_TRUE(grants->front().holding.exclusive);
  EXPECT_EQ(grants->front().holding.memory, Bytes::mib(40960));
}

TEST_F(Modes, OneCardHasContainersOfOneMode) {
  const Words part{{"nvidia.com/gpumem", "3000"}, {"nvidia.com/use-gpuuuid", "GPU-0"}};
  Words by_daemon = part;
  by_daemon[kMode] = "mps";
  EXPECT_EQ(device(by_daemon), "GPU-0");
  EXPECT_EQ(device(by_daemon), "GPU-0");
  EXPECT_THAT(device(part), HasSubstr("GPU-0"));
  EXPECT_FALSE(ask(part));
  leases_.clear();
  EXPECT_EQ(device(part), "GPU-0");
  EXPECT_FALSE(ask(by_daemon));
  Words by_library = part;
  by_library[kMode] = "hami-core";
  EXPECT_EQ(device(by_library), "GPU-0");
}

TEST_F(Modes, OfSeveralModesTheFirstWithRoomIsTaken) {
  const Words words{{kMode, "mig, hami-core"}, {"nvidia.com/gpumem", "9000"}};
  EXPECT_EQ(device(words), "MIG-9984");
  EXPECT_EQ(device(words), "MIG-20096");
  EXPECT_EQ(device(words), "GPU-0");
}

TEST_F(Modes, AWordThatIsNoModeIsNamedWithItsKey) {
  EXPECT_THAT(device({{kMode, "time-slicing"}}),
              ::testing::AllOf(HasSubstr("annotation 'nvidia.com/vgpu-mode': 'time-slicing' is not a mode"),
                               HasSubstr("hami-core, mig, mps, none")));
}

TEST_F(Modes, WhatPolicyDoesNotAllowIsRefused) {
  policy_.allowed_modes = {Mode::hami_core, Mode::mig};
  EXPECT_THAT(device({{kMode, "none"}}),
              HasSubstr("asks for mode 'none', but this node allows hami-core, mig"));
  EXPECT_EQ(device({{kMode, "none,mig"}}), "MIG-9984");
}

TEST_F(Modes, WithoutTheLibrarysModeARequestGetsTheFirstOfTheAllowed) {
  policy_.allowed_modes = {Mode::mig, Mode::none};
  EXPECT_EQ(device({{"nvidia.com/gpumem", "9000"}}), "MIG-9984");
  EXPECT_EQ(device({{"nvidia.com/gpumem", "30000"}}), "GPU-0");
}

TEST_F(Modes, ASchedulersDeviceMustServeTheMode) {
  auto request =
      parse_request(testing::annotated({{"nvidia.com/gpu", "1"}, {kMode, "mig"}}), {node_.recipe}, policy_);
  ASSERT_TRUE(request && *request);
  (*request)->vendors[0].decided = Decided{{{"GPU-0", Bytes::mib(3000), Percent{30}}}, true, {}};
  const auto got = allocate(**request, {node_}, {}, policy_);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, ::testing::AllOf(HasSubstr("'nvidia.com/vgpu-mode' asks for mode mig"),
                                                    HasSubstr("no partition")));
  (*request)->vendors[0].decided->devices[0].device = "MIG-9984";
  EXPECT_TRUE(allocate(**request, {node_}, {}, policy_));
}

}  // namespace
}  // namespace hami::shim
