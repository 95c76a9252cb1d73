#include "runtime-shim/request/requirement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using namespace testing;
using ::testing::HasSubstr;

const DriverFacts kNode{"12.4", "550.90.07", "8.0", "nvidia"};

bool met(std::string_view text, const DriverFacts& facts = kNode) {
  const auto requirement = parse_requirement(text);
  EXPECT_TRUE(requirement) << text << ": " << requirement.error().message;
  return requirement && is_met(*requirement, facts);
}

std::string refusal(std::string_view text) {
  const auto requirement = parse_requirement(text);
  return requirement ? "accepted" : requirement.error().message;
}

TEST(Requirement, KnowsEveryComparison) {
  for (const char* yes : {"cuda=12.4", "cuda!=12.3", "cuda>12.3", "cuda>=12.4", "cuda<12.10", "cuda<=12.4",
                          "driver>=550", "driver<551", "driver=550.90.07", "driver>550.90", "arch>=8.0",
                          "arch=8", "brand=nvidia", "brand=NVIDIA", "brand!=tesla", ""})
    EXPECT_TRUE(met(yes)) << yes;
  for (const char* no : {"cuda=12.3", "cuda!=12.4", "cuda>12.4", "cuda>=12.5", "cuda<12.4", "cuda<=12.3",
                         "driver<550", "driver=550", "arch>8.0", "brand=tesla", "brand!=nvidia"})
    EXPECT_FALSE(met(no)) << no;
}

TEST(Requirement, BlanksSeparateAlternativesAndCommasConditions) {
  EXPECT_TRUE(met("cuda>=13.0 brand=nvidia,driver>=550,driver<551"));
  EXPECT_TRUE(met("  cuda>=12.4   cuda>=13.0 "));
  EXPECT_FALSE(met("cuda>=13.0 brand=tesla,driver>=550"));
  EXPECT_FALSE(met("cuda>=12.4,driver>=560"));
}

TEST(Requirement, WhatIsNotKnownIsNotHeldAgainstAnImage) {
  EXPECT_TRUE(met("cuda>=99.0", {}));
  EXPECT_TRUE(met("arch>=9.0,cuda>=12.0", {"12.4", "550.1", std::nullopt, std::nullopt}));
  EXPECT_FALSE(met("arch>=9.0,cuda>=12.5", {"12.4", "550.1", std::nullopt, std::nullopt}));
}

TEST(Requirement, RefusesWhatItCannotRead) {
  EXPECT_EQ(refusal("cuda>=12.4,cuda~12"), "condition 1: no comparison in 'cuda~12'");
  EXPECT_EQ(refusal("gpu>=1"), "condition 0: neither cuda, driver, arch nor brand in 'gpu>=1'");
  EXPECT_EQ(refusal("cuda>="), "condition 0: no version in 'cuda>='");
  EXPECT_EQ(refusal("cuda>=12.x"), "condition 0: no version in 'cuda>=12.x'");
  EXPECT_EQ(refusal("cuda==12"), "condition 0: no version in 'cuda==12'");
  EXPECT_EQ(refusal("cuda!12"), "condition 0: an unknown comparison in 'cuda!12'");
  EXPECT_EQ(refusal("brand>tesla"), "condition 0: an order of brands in 'brand>tesla'");
  EXPECT_EQ(refusal("brand="), "condition 0: no brand in 'brand='");
  EXPECT_EQ(refusal("cuda>=12.4,"), "condition 1: no comparison in ''");
}

TEST(Requirement, TheDriversBranchSaysItsCuda) {
  vendors::Inventory node = inventory(1);
  const auto cuda = [&](const char* driver) {
    node.vars["driver.version"] = driver;
    return facts_of(node, nullptr).cuda.value_or("unknown");
  };
  EXPECT_EQ(cuda("535.183.01"), "12.2");
  EXPECT_EQ(cuda("550.90.07"), "12.4");
  EXPECT_EQ(cuda("553.1"), "12.4");
  EXPECT_EQ(cuda("470.82"), "11.4");
  EXPECT_EQ(cuda("999.1"), "unknown");
  EXPECT_EQ(cuda("375.1"), "unknown");
}

TEST(Requirement, TheModelSaysTheBrand) {
  const auto brand = [](const char* model) {
    vendors::Inventory node = inventory(1);
    node.devices[0].model = model;
    return facts_of(node, &node.devices[0]).brand.value_or("unknown");
  };
  EXPECT_EQ(brand("NVIDIA A100-PCIE-40GB"), "nvidia");
  EXPECT_EQ(brand("Tesla V100-SXM2-16GB"), "tesla");
  EXPECT_EQ(brand("NVIDIA GeForce RTX 3090"), "geforcertx");
  EXPECT_EQ(brand("NVIDIA RTX A6000"), "nvidiartx");
  EXPECT_EQ(brand("Quadro P2000"), "quadro");
  EXPECT_EQ(brand(""), "unknown");
}

Result<> checked(std::vector<std::pair<std::string, std::string>> env) {
  VendorNode node{recipe(), inventory(1)};
  node.recipe.metadata.vendor = "nvidia.com";
  node.inventory.vars["driver.version"] = "550.90.07";
  return check_requirements(with_env(std::move(env)), {"nvidia", {Grant{}}}, node);
}

TEST(Requirement, IsCheckedBeforeTheContainerStarts) {
  EXPECT_TRUE(checked({}));
  EXPECT_TRUE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=12.4"}, {"NVIDIA_REQUIRE_DRIVER", "driver>=550"}}));
  const auto got = checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=12.5"}});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::denied);
  EXPECT_EQ(
      got.error().message,
      "variable NVIDIA_REQUIRE_CUDA: the image needs 'cuda>=12.5', but this node has driver 550.90.07, CUDA "
      "12.4, brand nvidia");
  EXPECT_FALSE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=12.4"}, {"NVIDIA_REQUIRE_OTHER", "driver>=560"}}));
}

TEST(Requirement, OfAVariableThatStandsThereTwiceTheLastCounts) {
  EXPECT_TRUE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=99"}, {"NVIDIA_REQUIRE_CUDA", "cuda>=12.4"}}));
  EXPECT_FALSE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=12.4"}, {"NVIDIA_REQUIRE_CUDA", "cuda>=99"}}));
}

TEST(Requirement, EveryGrantedDeviceMustMeetIt) {
  VendorNode node{recipe(), inventory(2)};
  node.recipe.metadata.vendor = "nvidia.com";
  node.inventory.devices[1].model = "Tesla V100-SXM2-16GB";
  const auto on = [&](std::vector<std::size_t> devices) {
    VendorAllocation allocation{"nvidia", {}};
    for (const std::size_t device : devices) {
      Grant grant;
      grant.device = device;
      allocation.grants.push_back(grant);
    }
    return check_requirements(with_env({{"NVIDIA_REQUIRE_BRAND", "brand=nvidia"}}), allocation, node);
  };
  EXPECT_TRUE(on({0}));
  EXPECT_FALSE(on({1}));
  EXPECT_FALSE(on({0, 1}));
  EXPECT_TRUE(on({})) << "no device has a brand yet";
}

TEST(Requirement, WithoutADeviceTheDriverStillMustMeetIt) {
  VendorNode node{recipe(), inventory(1)};
  node.recipe.metadata.vendor = "nvidia.com";
  node.inventory.vars["driver.version"] = "550.90.07";
  EXPECT_FALSE(check_requirements(with_env({{"NVIDIA_REQUIRE_CUDA", "cuda>=99"}}), {"nvidia", {}}, node));
}

TEST(Requirement, CanBeSwitchedOff) {
  EXPECT_TRUE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=99"}, {"NVIDIA_DISABLE_REQUIRE", "true"}}));
  EXPECT_TRUE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=99"}, {"NVIDIA_DISABLE_REQUIRE", "1"}}));
  EXPECT_FALSE(checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=99"}, {"NVIDIA_DISABLE_REQUIRE", "false"}}));
}

TEST(Requirement, OldImagesSayItByTheirCudaVersion) {
  EXPECT_TRUE(checked({{"CUDA_VERSION", "12.4.1"}}));
  EXPECT_FALSE(checked({{"CUDA_VERSION", "12.5.0"}}));
  EXPECT_TRUE(checked({{"CUDA_VERSION", "12.5.0"}, {"NVIDIA_REQUIRE_CUDA", "cuda>=12.0"}}));
  EXPECT_TRUE(checked({{"CUDA_VERSION", "newest"}}));
}

TEST(Requirement, NamesTheVariableItCannotRead) {
  const auto got = checked({{"NVIDIA_REQUIRE_CUDA", "cuda>=12.x"}});
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("variable 'NVIDIA_REQUIRE_CUDA': condition 0"));
  EXPECT_TRUE(checked({{"NVIDIA_REQUIRE_JETPACK", "csv-mounts=all"}}));
}

}  // namespace
}  // namespace hami::shim
