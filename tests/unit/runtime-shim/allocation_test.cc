#include "runtime-shim/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::AllOf;
using testing::annotated;
using ::testing::HasSubstr;
using testing::holding;
using testing::inventory;
using testing::lease;
using testing::with_env;

using Leases = std::vector<state::Lease>;

struct Node {
  std::size_t devices = 2;
  Leases leases;
  Policy policy;
};

Result<std::vector<Grant>> ask(const oci::ContainerView& container, const Node& node = {}) {
  const auto request = parse_request(container, {testing::recipe()}, node.policy);
  if (!request) return fail(Error(request.error()));
  auto allocation =
      allocate(**request, {{testing::recipe(), inventory(node.devices)}}, node.leases, node.policy);
  if (!allocation) return fail(std::move(allocation).error());
  return allocation->vendors.front().grants;
}

std::vector<std::string> uuids(const Result<std::vector<Grant>>& grants) {
  std::vector<std::string> out;
  if (!grants) return {grants.error().line()};
  for (const Grant& grant : *grants) out.push_back(grant.uuid);
  return out;
}

oci::ContainerView slice(const char* mib, const char* cores = "10", const char* count = "1") {
  return annotated({{"nvidia.com/gpu", count}, {"nvidia.com/gpumem", mib}, {"nvidia.com/gpucores", cores}});
}

oci::ContainerView with(oci::ContainerView container, const char* key, const char* value) {
  container.annotations[key] = value;
  return container;
}

using Uuids = std::vector<std::string>;

TEST(Allocation, GivesASliceWithItsLimits) {
  const auto grants = ask(slice("3000", "30"));

  ASSERT_EQ(grants->size(), 1U);
  EXPECT_EQ(grants->front().memory_limit, Bytes::mib(3000));
  EXPECT_EQ(grants->front().core_limit, Percent{30});
  EXPECT_EQ(grants->front().holding, holding("GPU-0", 3000, 30));
}

TEST(Allocation, GivesTheWholeDeviceAloneWithoutAmounts) {
  const auto grants = ask(annotated({{"nvidia.com/gpu", "1"}}));

  EXPECT_FALSE(grants->front().is_slice());
  EXPECT_EQ(grants->front().holding, holding("GPU-0", 40960, 100, true));
}

// What a scheduler's annotations come to for a container with these devices in its variable.
Result<std::vector<Grant>> scheduled(std::map<std::string, std::string> annotations, const char* devices) {
  oci::ContainerView container = with_env({{"NVIDIA_VISIBLE_DEVICES", devices}});
  container.annotations = std::move(annotations);
  const VendorNode node{testing::recipe(), inventory(2)};
  auto request = parse_request(testing::in_pod(container, "train"), {node.recipe}, {});
  if (!request) return fail(Error(request.error()));
  VendorRequest& vendor = (*request)->vendors.front();
  HAMI_TRY(const auto resolution, resolve(*vendor.scheduled, node, {}));
  vendor.decided = resolution.decided;
  HAMI_TRY(auto allocation, allocate(**request, {node}, {}, {}));
  return allocation.vendors.front().grants;
}

TEST(Allocation, ADeviceThatASchedulerGivesTwiceIsRefused) {
  const char* hami = "hami.io/vgpu-devices-allocated";
  EXPECT_EQ(uuids(scheduled({{hami, "GPU-0,NVIDIA,3000,30:GPU-1,NVIDIA,3000,30:;"}}, "GPU-1,GPU-0")),
            (Uuids{"GPU-0", "GPU-1"}));
  EXPECT_THAT(
      uuids(scheduled({{hami, "GPU-1,NVIDIA,3000,30:GPU-1,NVIDIA,3000,30:;"}}, "GPU-1,GPU-1")).front(),
      AllOf(HasSubstr(hami), HasSubstr("GPU-1"), HasSubstr("twice")));
  EXPECT_THAT(uuids(scheduled({{hami, "GPU-1,NVIDIA,3000,30:1,NVIDIA,3000,30:;"}}, "GPU-1,1")).front(),
              HasSubstr("twice"));
  EXPECT_THAT(
      uuids(scheduled({{"tencent.com/vcuda-core", "200"}, {"tencent.com/predicate-gpu-idx-0", "1,1"}}, "1,1"))
          .front(),
      HasSubstr("twice"));
  EXPECT_THAT(uuids(scheduled({{"scheduling.koordinator.sh/device-allocated",
                                R"({"gpu": [{"minor": 1}, {"minor": 1}]})"}},
                              "1,1"))
                  .front(),
              HasSubstr("twice"));
}

TEST(Allocation, FollowsHamisRulesForPercentages) {
  const auto one = [](const char* key, const char* value) {
    return ask(with(annotated({{"nvidia.com/gpu", "1"}}), key, value))->front();
  };
  EXPECT_EQ(one("nvidia.com/gpumem-percentage", "50").holding, holding("GPU-0", 20480, 0));
  EXPECT_EQ(one("nvidia.com/gpumem-percentage", "100").holding, holding("GPU-0", 40960, 100, true));
  EXPECT_EQ(one("nvidia.com/gpumem-percentage", "0").holding, holding("GPU-0", 40960, 0));
  EXPECT_EQ(one("nvidia.com/gpumem", "3000").holding, holding("GPU-0", 3000, 0));
  const auto both = ask(with(slice("3000"), "nvidia.com/gpumem-percentage", "100"));
  EXPECT_EQ(both->front().memory_limit, Bytes::mib(3000));
}

TEST(Allocation, PacksTheFullestDeviceThatHasRoom) {
  Node node{3, {lease("a", {holding("GPU-1", 1000, 10)}), lease("b", {holding("GPU-2", 40000, 10)})}, {}};

  EXPECT_EQ(uuids(ask(slice("3000"), node)), Uuids{"GPU-1"});
  node.policy.placement = Placement::spread;
  EXPECT_EQ(uuids(ask(slice("3000"), node)), Uuids{"GPU-0"});
  EXPECT_EQ(uuids(ask(with(slice("3000"), "hami.io/gpu-scheduler-policy", "binpack"), node)), Uuids{"GPU-1"});
}

TEST(Allocation, GivesDifferentDevicesOfOneNumaNode) {
  Node node{4, {lease("a", {holding("GPU-0", 20000, 10)})}, {}};
  node.policy.placement = Placement::numa;

  EXPECT_EQ(uuids(ask(slice("30000", "10", "2"), node)), (Uuids{"GPU-2", "GPU-3"}));
  EXPECT_EQ(uuids(ask(slice("30000", "10", "3"), node)), (Uuids{"GPU-1", "GPU-2", "GPU-3"}));
}

// Annotations of a request for so many parts of devices of one NUMA node.
auto bound(const char* count) { return with(slice("30000", "10", count), "nvidia.com/numa-bind", "true"); }

TEST(NumaBinding, GivesDevicesOfOneNodeOrNone) {
  Node node{4, {lease("a", {holding("GPU-0", 20000, 10)})}, {}};
  EXPECT_EQ(uuids(ask(bound("2"), node)), (Uuids{"GPU-2", "GPU-3"}));
  EXPECT_EQ(uuids(ask(with(slice("30000", "10", "3"), "nvidia.com/numa-bind", "false"), node)),
            (Uuids{"GPU-1", "GPU-2", "GPU-3"}));

  const auto refused = ask(bound("3"), node);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_THAT(refused.error().line(), HasSubstr("3 nvidia devices of one NUMA node"));
}

TEST(NumaBinding, OfNodesWithRoomThePolicyChooses) {
  Node node{6, {lease("a", {holding("GPU-4", 1000, 10), holding("GPU-5", 1000, 10)})}, {}};
  EXPECT_EQ(uuids(ask(bound("2"), node)), (Uuids{"GPU-4", "GPU-5"}));
  node.policy.placement = Placement::spread;
  EXPECT_EQ(uuids(ask(bound("2"), node)), (Uuids{"GPU-0", "GPU-1"}));
}

TEST(NumaBinding, OneDeviceIsAlwaysOfOneNode) {
  Node node{2, {lease("a", {holding("GPU-0", 20000, 10)})}, {}};
  EXPECT_EQ(uuids(ask(bound("1"), node)), Uuids{"GPU-1"});
}

TEST(NumaBinding, IsYesOrNo) {
  const Node node{4, {}, {}};
  for (const char* word : {"yes", "", "tRUE", "true ", "2", "\"true\""}) {
    const auto refused = ask(with(slice("3000", "10", "2"), "nvidia.com/numa-bind", word), node);
    ASSERT_FALSE(refused) << word;
    EXPECT_THAT(refused.error().line(), AllOf(HasSubstr("'nvidia.com/numa-bind'"), HasSubstr(word)));
  }
  for (const char* word : {"1", "t", "T", "TRUE", "True", "0", "f", "F", "FALSE", "False"})
    EXPECT_TRUE(ask(with(slice("3000", "10", "2"), "nvidia.com/numa-bind", word), node)) << word;
}

TEST(Allocation, RefusesMoreMemoryThanAnyDeviceHasLeft) {
  const Node node{1, {lease("a", {holding("GPU-0", 40000, 30)})}, {}};

  const auto refused = ask(slice("3000", "30"), node);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_THAT(refused.error().line(),
              AllOf(HasSubstr("asks for 1 nvidia device with 3000MiB of memory and 30% of the cores"),
                    HasSubstr("device 0 (GPU-0"), HasSubstr("960MiB of 40960MiB and 70% of the cores free"),
                    HasSubstr("1 of 10 containers"), HasSubstr("ask for less")));
}

TEST(Allocation, RefusesMoreDevicesThanTheNodeHas) {
  EXPECT_THAT(ask(slice("1", "1", "3")).error().line(), HasSubstr("asks for 3 nvidia devices"));
}

TEST(Allocation, HonoursExclusiveHoldersBothWays) {
  const Node held{1, {lease("a", {holding("GPU-0", 40960, 100, true)})}, {}};
  const Node shared{1, {lease("a", {holding("GPU-0", 10, 0)})}, {}};

  EXPECT_THAT(ask(slice("1", "0"), held).error().line(), HasSubstr("held by one container alone"));
  EXPECT_FALSE(ask(annotated({{"nvidia.com/gpu", "1"}}), shared));
  EXPECT_FALSE(ask(slice("10", "100"), shared));
  EXPECT_FALSE(ask(with(slice("1"), "hami.io/gpu-scheduler-policy", "mutex"), shared));
}

TEST(Allocation, PutsNobodyWithoutAShareOnADeviceWithoutCores) {
  const Node node{1, {lease("a", {holding("GPU-0", 10, 60)}), lease("b", {holding("GPU-0", 10, 40)})}, {}};

  EXPECT_FALSE(ask(slice("10", "0"), node));
}

TEST(Allocation, StopsAtTheSplitCount) {
  Node node{1, {lease("a", {holding("GPU-0", 1, 1)}), lease("b", {holding("GPU-0", 1, 1)})}, {}};
  node.policy.split_count = 2;
  EXPECT_FALSE(ask(slice("1", "1"), node));

  node.policy.split_count = 3;
  EXPECT_TRUE(ask(slice("1", "1"), node));
}

TEST(Allocation, ScalesMemoryAndCores) {
  Node node{1, {lease("a", {holding("GPU-0", 40960, 100)})}, {}};
  EXPECT_FALSE(ask(slice("40960", "50"), node));

  node.policy.memory_scaling = {2000};
  node.policy.core_scaling = {1500};
  EXPECT_TRUE(ask(slice("40960", "50"), node));
  EXPECT_FALSE(ask(slice("40961", "50"), node));
  EXPECT_FALSE(ask(slice("40960", "51"), node));
}

TEST(Allocation, AWholeDeviceUnderOvercommitmentIsItsScaledMemory) {
  Node node;
  node.policy.memory_scaling = {2000};

  EXPECT_EQ(ask(annotated({{"nvidia.com/gpu", "1"}}), node)->front().memory_limit, Bytes::mib(81920));
}

TEST(Allocation, KeepsToAllowedAndDeniedDevices) {
  EXPECT_EQ(uuids(ask(with(slice("1"), "nvidia.com/use-gpuuuid", "GPU-1"))), Uuids{"GPU-1"});
  EXPECT_EQ(uuids(ask(with(slice("1"), "nvidia.com/nouse-gpuuuid", "GPU-0"))), Uuids{"GPU-1"});
  EXPECT_EQ(uuids(ask(with(slice("1"), "nvidia.com/use-gputype", "a100"))), Uuids{"GPU-0"});
  EXPECT_THAT(ask(with(slice("1"), "nvidia.com/nouse-gputype", "A100")).error().line(),
              HasSubstr("none is of an allowed model"));
  EXPECT_FALSE(ask(with(slice("1"), "nvidia.com/use-gputype", "H100")));
}

TEST(Allocation, GivesTheDevicesThatAreNamed) {
  EXPECT_EQ(uuids(ask(with_env({{"NVIDIA_VISIBLE_DEVICES", "GPU-1,0"}}))), (Uuids{"GPU-0", "GPU-1"}));
  EXPECT_EQ(uuids(ask(with_env({{"NVIDIA_VISIBLE_DEVICES", "1,GPU-1"}}))), Uuids{"GPU-1"});
  EXPECT_EQ(uuids(ask(with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}}))), (Uuids{"GPU-0", "GPU-1"}));
  EXPECT_EQ(uuids(ask(with_env({{"NVIDIA_VISIBLE_DEVICES", "none"}}))), Uuids{});
}

TEST(Allocation, SaysWhatIsHereWhenADeviceIsUnknown) {
  const auto refused = ask(with_env({{"NVIDIA_VISIBLE_DEVICES", "GPU-9"}}));

  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_THAT(refused.error().line(), AllOf(HasSubstr("'GPU-9'"), HasSubstr("GPU-0"), HasSubstr("GPU-1")));
}

TEST(Allocation, GivesPositionsTheirOwnLimits) {
  Node node{3, {lease("a", {holding("GPU-0", 39000, 0)})}, {}};
  auto container =
      with_env({{"CUDA_DEVICE_MEMORY_LIMIT_0", "30000m"}, {"CUDA_DEVICE_MEMORY_LIMIT_1", "500m"}});
  container.annotations["nvidia.com/gpu"] = "2";

  const auto grants = ask(container, node);

  EXPECT_EQ(uuids(grants), (Uuids{"GPU-1", "GPU-2"}));
  EXPECT_EQ((*grants)[0].memory_limit, Bytes::mib(30000));
  EXPECT_EQ((*grants)[1].memory_limit, Bytes::mib(500));
}

TEST(Allocation, SharesWholeDevicesWherePolicySaysSo) {
  Node node{1, {lease("a", {holding("GPU-0", 40000, 90)})}, {}};
  const auto all = with_env({{"NVIDIA_VISIBLE_DEVICES", "all"}});
  EXPECT_FALSE(ask(all, node));

  node.policy.vendor_variables = VendorVariables::shared;
  const auto grants = ask(all, node);
  EXPECT_EQ(grants->front().holding, holding("GPU-0", 0, 0));
  EXPECT_FALSE(grants->front().is_slice());
}

TEST(Allocation, DividesNoMemoryOfUnknownSize) {
  const auto request = parse_request(slice("1"), {testing::recipe()}, {});
  const auto whole = parse_request(annotated({{"nvidia.com/gpu", "1"}}), {testing::recipe()}, {});
  const std::vector<VendorNode> node{{testing::recipe(), inventory(1, Bytes{0})}};

  EXPECT_FALSE(allocate(**request, node, {}, {}));
  EXPECT_TRUE(allocate(**whole, node, {}, {}));
}

TEST(Allocation, AbsurdAmountsInALeaseLeaveNoRoom) {
  state::Holding absurd = holding("GPU-0", 0, 0);
  absurd.memory = Bytes{UINT64_MAX};
  const Node node{1, {lease("a", {absurd}), lease("b", {absurd})}, {}};

  EXPECT_FALSE(ask(slice("1"), node));
}

// What must hold after any series of creates and deletes, computed in the plainest way.
void expect_no_overcommitment(const Leases& leases, std::size_t devices, const Policy& policy) {
  for (std::size_t i = 0; i < devices; ++i) {
    const std::string uuid = text::cat({"GPU-", text::number(i)});
    std::uint64_t memory = 0;
    std::uint64_t cores = 0;
    std::uint32_t holders = 0;
    bool exclusive = false;
    for (const auto& held : leases) {
      std::uint32_t here = 0;
      for (const auto& part : held.holdings) {
        if (part.device != uuid) continue;
        ++here;
        memory += part.memory.value;
        cores += part.cores.value;
        exclusive = exclusive || part.exclusive;
      }
      ASSERT_LE(here, 1U) << "one container twice on one device";
      holders += here;
    }
    ASSERT_LE(memory, policy.memory_scaling.of(Bytes::mib(40960)).value);
    ASSERT_LE(cores, policy.core_scaling.of(Percent{100}).value);
    ASSERT_LE(holders, policy.split_count);
    ASSERT_TRUE(!exclusive || holders == 1);
  }
}

// A refusal of a plain slice is right only when no device has room.
bool some_device_fits(const Leases& leases, std::size_t devices, const Policy& policy, std::uint64_t mib,
                      std::uint32_t cores) {
  for (std::size_t i = 0; i < devices; ++i) {
    const std::string uuid = text::cat({"GPU-", text::number(i)});
    std::uint64_t memory = mib * kMiB;
    std::uint64_t sum = cores;
    std::uint32_t holders = 1;
    bool exclusive = false;
    for (const auto& held : leases) {
      for (const auto& part : held.holdings) {
        if (part.device != uuid) continue;
        ++holders;
        memory += part.memory.value;
        sum += part.cores.value;
        exclusive = exclusive || part.exclusive;
      }
    }
    if (!exclusive && memory <= policy.memory_scaling.of(Bytes::mib(40960)).value &&
        sum <= policy.core_scaling.of(Percent{100}).value && holders <= policy.split_count)
      return true;
  }
  return false;
}

TEST(Allocation, NeverOvercommitsAndNeverRefusesWhatFits) {
  constexpr std::size_t kDevices = 4;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto upto = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    Node node{kDevices, {}, {}};
    node.policy.placement = static_cast<Placement>(upto(3));
    node.policy.split_count = 2 + upto(6);
    node.policy.memory_scaling = {800 + 200 * upto(5)};
    for (int step = 0; step < 300; ++step) {
      if (!node.leases.empty() && upto(3) == 0) {
        node.leases.erase(node.leases.begin() + upto(static_cast<std::uint32_t>(node.leases.size())));
        continue;
      }
      const std::uint32_t mib = 1 + upto(30000);
      const std::uint32_t cores = 1 + upto(60);
      const bool whole = upto(8) == 0;
      const std::string count = text::number(1 + upto(whole ? 1 : 3));
      const auto grants =
          ask(whole ? annotated({{"nvidia.com/gpu", count}})
                    : slice(std::to_string(mib).c_str(), std::to_string(cores).c_str(), count.c_str()),
              node);
      if (!grants) {
        ASSERT_EQ(grants.error().code, Errc::exhausted);
        ASSERT_TRUE(whole || count != "1" ||
                    !some_device_fits(node.leases, kDevices, node.policy, mib, cores));
        continue;
      }
      state::Lease held = lease(text::cat({"c", text::number(static_cast<std::uint64_t>(step))}), {});
      for (const Grant& grant : *grants) held.holdings.push_back(grant.holding);
      ASSERT_EQ(text::number(held.holdings.size()), count);
      node.leases.push_back(std::move(held));
      expect_no_overcommitment(node.leases, kDevices, node.policy);
    }
  }
}

}  // namespace
}  // namespace hami::shim
