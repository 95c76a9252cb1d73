#include "runtime-shim/request/engine_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/allocation.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::HasSubstr;
using testing::holding;
using testing::inventory;
using testing::lease;

TEST(EngineDevices, ADocumentWithTheUsualNodesHasNoDevice) {
  EXPECT_FALSE(may_have_device(
      R"({"mounts":[{"destination":"/dev"},{"destination":"/dev/pts"},{"destination":"/dev/shm"},)"
      R"({"destination":"/dev/mqueue"}],"process":{"args":["sh","-c","x >/dev/null 2>/dev/tty1"]}})"));
  EXPECT_FALSE(may_have_device(""));
}

TEST(EngineDevices, ADocumentWithAnotherNodeMayHaveOne) {
  EXPECT_TRUE(may_have_device(R"({"linux":{"devices":[{"path":"/dev/nvidia0","type":"c"}]}})"));
  EXPECT_TRUE(may_have_device(R"({"linux":{"devices":[ {"type":"c", "path" : "/dev/dri/renderD128"}]}})"));
  EXPECT_TRUE(may_have_device(R"({"linux":{"devices":[{"path":"\/dev\/nvidia0"}]}})"));
  EXPECT_TRUE(may_have_device("/dev/nullified"));
  EXPECT_TRUE(may_have_device("/dev/"));
}

TEST(EngineDevices, PrivilegedContainersAndSandboxesAreNotLookedAt) {
  oci::ContainerView view;
  EXPECT_TRUE(counts_engine_devices(view, {}));
  Policy ignore;
  ignore.engine_devices = EngineDevices::ignore;
  EXPECT_FALSE(counts_engine_devices(view, ignore));
  view.privileged = true;
  EXPECT_FALSE(counts_engine_devices(view, {}));
  EXPECT_FALSE(
      counts_engine_devices(testing::annotated({{"io.kubernetes.cri.container-type", "sandbox"}}), {}));
}

state::Holding given(const char* uuid) {
  state::Holding given = holding(uuid, 40960, 100, true);
  given.engine = true;
  return given;
}

Result<Allocation> allocate_given(const std::vector<state::Lease>& leases) {
  Request request;
  VendorRequest vendor;
  vendor.vendor = "nvidia";
  vendor.by_engine = true;
  vendor.selector = {{Selector::Kind::named, {"GPU-1"}}, kEngineDevices};
  request.vendors.push_back(vendor);
  return allocate(request, {{testing::recipe(), inventory(2)}}, leases, {});
}

TEST(EngineDevices, AreHeldWholeAndMarked) {
  const auto allocation = allocate_given({});
  ASSERT_TRUE(allocation) << allocation.error().line();
  ASSERT_EQ(allocation->vendors.front().grants.size(), 1U);
  EXPECT_EQ(allocation->vendors.front().grants.front().holding, given("GPU-1"));
  EXPECT_FALSE(allocation->vendors.front().grants.front().is_slice());
}

TEST(EngineDevices, MayBeGivenTwiceButNotBesideASliceOrAnOwner) {
  EXPECT_TRUE(allocate_given({lease("a", {given("GPU-1")}), lease("b", {given("GPU-1")})}));
  EXPECT_TRUE(allocate_given({lease("a", {holding("GPU-0", 40960, 100, true)})}));
  const auto beside_slice = allocate_given({lease("a", {holding("GPU-1", 1000, 10)})});
  ASSERT_FALSE(beside_slice);
  EXPECT_THAT(beside_slice.error().message, HasSubstr("linux.devices asks for 1 nvidia device"));
  EXPECT_FALSE(allocate_given({lease("a", {holding("GPU-1", 40960, 100, true)})}));
  EXPECT_FALSE(allocate_given({lease("a", {given("GPU-1")}), lease("b", {holding("GPU-1", 0, 0)})}));
}

TEST(EngineDevices, GetNoSliceBesideThem) {
  const auto request = parse_request(
      testing::annotated({{"nvidia.com/gpu", "2"}, {"nvidia.com/gpumem", "10"}}), {testing::recipe()}, {});
  ASSERT_TRUE(request && *request);
  const auto allocation = allocate(**request, {{testing::recipe(), inventory(2)}},
                                   {lease("a", {given("GPU-1")}), lease("b", {given("GPU-1")})}, {});
  ASSERT_FALSE(allocation);
  EXPECT_THAT(allocation.error().message, HasSubstr("held whole by 2 containers"));
}

}  // namespace
}  // namespace hami::shim
