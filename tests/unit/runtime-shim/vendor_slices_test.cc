// Slices as the vendors' drivers make them: units, tiers, templates, numbered parts, and who may have them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/allocation.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A node whose slices the vendor makes.
class VendorSlices : public ::testing::Test {
 protected:
  VendorSlices() : node_{testing::recipe(), testing::inventory(2, Bytes::mib(32768))} {
    slice().mechanism = vendors::SliceMechanism::vendor;
  }
  vendors::SliceRules& slice() { return node_.recipe.slice; }

  Result<Grant> ask(const std::map<std::string, std::string>& annotations) {
    const auto request = parse_request(testing::annotated(annotations), {node_.recipe}, policy_);
    if (!request) return tl::unexpected<Error>(request.error());
    const auto allocation = allocate(**request, {node_}, leases_, policy_);
    if (!allocation) return tl::unexpected<Error>(allocation.error());
    const Grant grant = allocation->vendors.front().grants.front();
    leases_.emplace_back().holdings = {grant.holding};
    return grant;
  }
  Result<Grant> memory(const std::string& mib) {
    return ask({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", mib}});
  }
  std::string error(const std::map<std::string, std::string>& annotations) {
    const auto grant = ask(annotations);
    return grant ? "no error" : grant.error().line();
  }

  Policy policy_;
  VendorNode node_;
  std::vector<state::Lease> leases_;
};

TEST_F(VendorSlices, AnAmountIsRoundedUpToTheUnit) {
  slice().memory_unit = Bytes::mib(256);
  EXPECT_EQ(memory("300")->memory_limit, Bytes::mib(512));
  slice().rounding = vendors::Rounding::down;
  EXPECT_EQ(memory("300")->memory_limit, Bytes::mib(256));
  EXPECT_EQ(memory("100")->memory_limit, Bytes::mib(256));  // never nothing
  slice().rounding = vendors::Rounding::exact;
  EXPECT_THAT(error({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "300"}}),
              HasSubstr("multiples of 256MiB"));
}

TEST_F(VendorSlices, ATierIsTheSmallestTheAmountFitsIn) {
  slice().memory_tiers = {Bytes::mib(8192), Bytes::mib(16384)};
  EXPECT_EQ(memory("8192")->memory_limit, Bytes::mib(8192));
  EXPECT_EQ(memory("8193")->memory_limit, Bytes::mib(16384));
  const auto whole = memory("20000");
  ASSERT_TRUE(whole) << whole.error().line();
  EXPECT_FALSE(whole->is_slice());
  EXPECT_TRUE(whole->holding.exclusive);
  EXPECT_FALSE(memory("40000"));
}

TEST_F(VendorSlices, ATemplateBelongsToItsModelAndBringsItsCores) {
  slice().templates = {{"small", Bytes::mib(4096), Percent{12}, {}},
                       {"foreign", Bytes::mib(6000), Percent{20}, {"another model"}},
                       {"large", Bytes::mib(16384), Percent{50}, {"NVIDIA A100-PCIE-40GB"}}};
  const auto grant = memory("5000");
  ASSERT_TRUE(grant) << grant.error().line();
  EXPECT_EQ(grant->memory_limit, Bytes::mib(16384));
  EXPECT_EQ(grant->core_limit, Percent{50});
}

TEST_F(VendorSlices, AnAmountThatIsNoTierIsRefusedWhereTheVendorRefusesIt) {
  slice().memory_tiers = {Bytes::mib(8192), Bytes::mib(16384)};
  slice().rounding = vendors::Rounding::exact;
  EXPECT_EQ(memory("8192")->memory_limit, Bytes::mib(8192));
  EXPECT_THAT(error({{"nvidia.com/gpu", "1"}, {"nvidia.com/gpumem", "8193"}}),
              HasSubstr("memory is given as 8192MiB, 16384MiB or all of it"));
  EXPECT_FALSE(memory("32768")->is_slice());
}

TEST_F(VendorSlices, SlicesOfOneDeviceHaveDifferentNumbersAndReuseFreeOnes) {
  EXPECT_EQ(memory("1000")->holding.slot, 0U);
  EXPECT_EQ(memory("1000")->holding.slot, 1U);
  leases_.erase(leases_.begin());
  EXPECT_EQ(memory("1000")->holding.slot, 0U);
}

TEST_F(VendorSlices, PartsOfComputeAreNeverSharedAcrossTheWordBoundary) {
  slice().core_steps = 120;
  policy_.split_count = 10;
  const std::map<std::string, std::string> half{{"nvidia.com/gpu", "1"},
                                                {"nvidia.com/gpumem", "1000"},
                                                {"nvidia.com/gpucores", "50"},
                                                {"nvidia.com/use-gpuuuid", "GPU-0"}};
  const auto first = ask(half);
  const auto second = ask(half);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(list_parts(first->holding.parts), "0-59");
  EXPECT_EQ(list_parts(second->holding.parts), "60-119");
  EXPECT_FALSE(ask(half));
}

TEST_F(VendorSlices, AContainerHasASliceOfOneDeviceWhereTheVendorKnowsNoOther) {
  slice().several = vendors::SeveralDevices::refused;
  EXPECT_THAT(error({{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem", "1000"}}),
              HasSubstr("a slice of one only"));
  EXPECT_TRUE(ask({{"nvidia.com/gpu", "2"}}));
}

TEST_F(VendorSlices, PartsOfSeveralDevicesAreWholeOnesWhereTheVendorMeansThat) {
  slice().several = vendors::SeveralDevices::whole;
  EXPECT_TRUE(memory("1000")->is_slice());
  for (const Bytes usual : {Bytes{}, Bytes::mib(1000)}) {
    leases_.clear();
    policy_.default_memory = usual;
    const auto grant =
        ask({{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem", "1000"}, {"nvidia.com/gpucores", "10"}});
    ASSERT_TRUE(grant) << grant.error().line();
    EXPECT_FALSE(grant->is_slice());
    EXPECT_TRUE(grant->holding.exclusive);
    EXPECT_EQ(grant->holding.memory, Bytes::mib(32768));
  }
}

// Four devices in two groups of two.
class GroupedDevices : public VendorSlices {
 protected:
  GroupedDevices() {
    node_.inventory = testing::inventory(4, Bytes::mib(32768));
    node_.recipe.resources.models = {{"NVIDIA A100-PCIE-40GB",
                                      {"example.com/pair"},
                                      {{"example.com/pair-memory"}, Bytes::mib(1), false},
                                      {},
                                      2}};
  }
  std::vector<std::string> uuids(const std::map<std::string, std::string>& annotations) {
    const auto request = parse_request(testing::annotated(annotations), {node_.recipe}, policy_);
    const auto allocation = allocate(**request, {node_}, leases_, policy_);
    std::vector<std::string> out;
    if (!allocation) return {allocation.error().line()};
    for (const Grant& grant : allocation->vendors.front().grants) out.push_back(grant.uuid);
    return out;
  }
};

TEST_F(GroupedDevices, OneDeviceMeansOneGroupOfNeighbours) {
  EXPECT_THAT(uuids({{"example.com/pair", "1"}}), ElementsAre("GPU-0", "GPU-1"));
  leases_.emplace_back().holdings = {{"nvidia", "GPU-1", Bytes::mib(1), Percent{1}, true, 0, 0, 0}};
  EXPECT_THAT(uuids({{"example.com/pair", "1"}}), ElementsAre("GPU-2", "GPU-3"));
  EXPECT_THAT(uuids({{"example.com/pair", "4"}}), ElementsAre(HasSubstr("asks for 4")));
}

TEST_F(GroupedDevices, ANumberThatBreaksAGroupIsRefused) {
  EXPECT_THAT(uuids({{"example.com/pair", "3"}}), ElementsAre(HasSubstr("given in groups of 2")));
}

TEST_F(GroupedDevices, APartIsOfOneDevice) {
  EXPECT_THAT(uuids({{"example.com/pair", "1"}, {"example.com/pair-memory", "1000"}}), SizeIs(1));
}

TEST_F(VendorSlices, SlicesOfADeviceHaveOneSizeWhereTheDriverWantsThat) {
  slice().equal_sizes = true;
  const std::string first = memory("1000")->uuid;
  EXPECT_EQ(memory("1000")->uuid, first);
  EXPECT_NE(memory("2000")->uuid, first);
}

TEST_F(VendorSlices, ANameOfOneModelMeansOnlyThatModel) {
  node_.recipe.resources.models = {{"X1", {"example.com/x1"}, {}, {}},
                                   {"NVIDIA A100-PCIE-40GB", {"example.com/a100"}, {}, {}}};
  EXPECT_TRUE(ask({{"example.com/a100", "1"}}));
  EXPECT_THAT(error({{"example.com/x1", "1"}}), HasSubstr("of model X1, but this node has device 0 ("));
  EXPECT_THAT(error({{"example.com/x1", "1"}, {"example.com/a100", "1"}}), HasSubstr("model"));
}

TEST_F(VendorSlices, DefaultCoresOfTheVendorMakeAMemoryRequestExclusive) {
  slice().default_cores = Percent{100};
  EXPECT_TRUE(memory("1000")->holding.exclusive);
}

}  // namespace
}  // namespace hami::shim
