#include "vendors/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

using testing::HasSubstr;

class Discovery : public testing::Test {
 protected:
  Discovery() {
    node_.nvidia_kernel();
    node_.nvidia_user();
  }
  Result<Inventory> run() { return discover(nvidia_recipe(), node_.roots()); }
  std::string error() {
    const auto inventory = run();
    return inventory ? "no error" : inventory.error().line();
  }
  // How often the probe ran so far, when it was told to count.
  void count_probes() { node_.probe("echo run >> " + node_.path("count") + "\n" + answer_); }
  int probes() {
    const auto text = files::read(node_.path("count"), 4096).value_or("");
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  FakeNode node_;
  std::string answer_ =
      R"(echo '{"devices":[{"bdf":"0000:1a:00.0","uuid":"GPU-a0","memory":1024},{"bdf":"0000:3b:00.0","uuid":"GPU-a1","memory":2048}]}')";
};

TEST_F(Discovery, ListsDevicesInPciOrderWithWhatFilesAndLibraryTell) {
  const auto inventory = run();

  ASSERT_TRUE(inventory) << inventory.error().line();
  EXPECT_EQ(inventory->vendor, "nvidia");
  EXPECT_EQ(inventory->vars.at("driver.version"), "550.90.07");
  EXPECT_EQ(inventory->roots.at("driver"), node_.dir());
  ASSERT_EQ(inventory->devices.size(), 2U);
  const auto& first = inventory->devices[0];
  EXPECT_EQ(first.index, 0U);
  EXPECT_EQ(first.uuid, "GPU-aaaaaaaa-0000-0000-0000-000000000000");
  EXPECT_EQ(first.pci_bus_id, "0000:1a:00.0");
  EXPECT_EQ(first.model, "NVIDIA A100");
  EXPECT_EQ(first.memory, Bytes{85899345920});
  EXPECT_EQ(first.numa_node, 1);
  EXPECT_EQ(first.fields.at("minor"), "0");
  EXPECT_EQ(first.fields.at("drm.card"), "1");
  EXPECT_EQ(first.fields.at("drm.render"), "128");
  EXPECT_EQ(inventory->devices[1].pci_bus_id, "0000:3b:00.0");
}

TEST_F(Discovery, FindsADeviceByIndexUuidAndAlias) {
  const auto inventory = run();
  ASSERT_TRUE(inventory);

  EXPECT_EQ(inventory->find("1")->index, 1U);
  EXPECT_EQ(inventory->find("gpu1")->index, 1U);
  EXPECT_EQ(inventory->find("gpu-AAAAAAAA-0000-0000-0000-000000000001")->index, 1U);
  EXPECT_EQ(inventory->find("2"), nullptr);
  EXPECT_EQ(inventory->find(""), nullptr);
}

TEST_F(Discovery, OrderIsThatOfTheBusNotOfTheMinors) {
  node_.gpu("0000:05:00.0", 7, "GPU-aaaaaaaa-0000-0000-0000-000000000007");

  const auto inventory = run();

  ASSERT_TRUE(inventory) << inventory.error().line();
  EXPECT_EQ(inventory->devices[0].fields.at("minor"), "7");
}

TEST_F(Discovery, TakesTheUuidFromTheLibraryWhenTheKernelDoesNotKnowItYet) {
  node_.gpu("0000:1a:00.0", 0, "GPU-" + std::string(8, '?') + "-x");

  const auto inventory = run();

  ASSERT_TRUE(inventory) << inventory.error().line();
  EXPECT_EQ(inventory->devices[0].uuid, "GPU-aaaaaaaa-0000-0000-0000-000000000000");
}

TEST_F(Discovery, LeavesOutADeviceTheDriverExcludes) {
  node_.write("proc/driver/nvidia/gpus/0000:1a:00.0/information",
              "GPU UUID: GPU-x1\nDevice Minor: 0\nGPU Excluded: Yes\n");

  const auto inventory = run();

  ASSERT_TRUE(inventory) << inventory.error().line();
  ASSERT_EQ(inventory->devices.size(), 1U);
  EXPECT_EQ(inventory->devices[0].pci_bus_id, "0000:3b:00.0");
}

// A card in MIG mode: the kernel lists its instances, the library knows their UUIDs.
class MigDiscovery : public Discovery {
 protected:
  void SetUp() override {
    instance(1, 0);
    instance(5, 0);
    node_.probe_says(R"({"bdf":"0000:1a:00.0","uuid":"GPU-a0","memory":85899345920,"parts":[)"
                     R"({"first":5,"second":0,"uuid":"MIG-b5","memory":20937965568},)"
                     R"({"first":2,"second":0,"uuid":"MIG-b2","memory":1}]},)"
                     R"({"bdf":"0000:3b:00.0","uuid":"GPU-a1","memory":85899345920})");
  }
  void instance(int gpu, int compute) const {
    const std::string at = "proc/driver/nvidia/capabilities/gpu0/mig/gi" + std::to_string(gpu);
    node_.write(at + "/access", "DeviceFileMinor: " + std::to_string(10 * gpu) + "\n");
    node_.write(at + "/ci" + std::to_string(compute) + "/access",
                "DeviceFileMinor: " + std::to_string(10 * gpu + 1 + compute) + "\n");
  }
};

TEST_F(MigDiscovery, AnInstanceHasTheUuidOfTheLibraryAndKeepsItsOlderName) {
  const auto inventory = discover(nvidia_recipe(), node_.roots());

  ASSERT_TRUE(inventory) << inventory.error().line();
  ASSERT_EQ(inventory->devices.size(), 3U);
  const Device* known = inventory->find("MIG-b5");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->parent, "GPU-a0");
  EXPECT_EQ(known->memory, Bytes{20937965568});
  EXPECT_EQ(inventory->find("MIG-GPU-a0/5/0"), known);
  EXPECT_EQ(inventory->find("0:1"), known);
  EXPECT_EQ(inventory->find("MIG-b2"), nullptr) << "the kernel has no such instance";
  const Device* unknown = inventory->find("MIG-GPU-a0/1/0");
  ASSERT_NE(unknown, nullptr) << "the library says nothing of it";
  EXPECT_EQ(unknown->uuid, "MIG-GPU-a0/1/0");
}

TEST_F(MigDiscovery, TheLibraryIsAskedAgainWhenInstancesChange) {
  count_probes();
  ASSERT_TRUE(discover(nvidia_recipe(), node_.roots()));
  ASSERT_TRUE(discover(nvidia_recipe(), node_.roots()));
  EXPECT_EQ(probes(), 1);
  instance(7, 0);
  ASSERT_TRUE(discover(nvidia_recipe(), node_.roots()));
  EXPECT_EQ(probes(), 2);
}

TEST_F(Discovery, AsksTheLibraryOnceAndAgainWhenSomethingChanged) {
  count_probes();
  ASSERT_TRUE(run()) << error();
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 1);

  node_.write("proc/sys/kernel/random/boot_id", "another boot\n");
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 2);

  node_.gpu("0000:3b:00.0", 1, "GPU-bbbbbbbb-0000-0000-0000-000000000001");
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 3);

  node_.library("usr/lib/x86_64-linux-gnu", "libnvidia-ml");
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 4);
}

TEST_F(Discovery, AsksAgainWhenTheKeptAnswerIsDamagedOrNotOurs) {
  count_probes();
  ASSERT_TRUE(run());
  const auto kept = files::read(node_.path("run/inventory/nvidia.json"), 1U << 20U);
  ASSERT_TRUE(kept);

  node_.write("run/inventory/nvidia.json", kept->substr(0, kept->size() / 2), 0600);
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 2);

  node_.write("run/inventory/nvidia.json", *kept, 0666);  // anybody could have written it
  ASSERT_TRUE(run());
  EXPECT_EQ(probes(), 3);
}

TEST_F(Discovery, DoesWithoutAKeptAnswerWhenItCannotBeWritten) {
  auto roots = node_.roots();
  roots.state_dir = "/proc/nonexistent";
  EXPECT_TRUE(discover(nvidia_recipe(), roots));
}

TEST_F(Discovery, NamesALibraryThatCrashesOrLies) {
  node_.probe("kill -SEGV $$");
  EXPECT_THAT(error(), HasSubstr("crashed"));

  node_.probe("echo '{\"devices\": 5}'");
  EXPECT_THAT(error(), HasSubstr("answer of the vendor's library"));

  node_.probe("echo nonsense");
  EXPECT_EQ(run().error().code, Errc::io);

  node_.probe_says(R"({"bdf":"0000:1a:00.0","uuid":"../../etc","memory":1})");
  EXPECT_THAT(error(), HasSubstr("'uuid' is not usable"));
}

TEST_F(Discovery, RefusesTwoDevicesOfOneIdentity) {
  node_.probe_says(R"({"bdf":"0000:1a:00.0","uuid":"GPU-same"},{"bdf":"0000:3b:00.0","uuid":"GPU-same"})");
  EXPECT_THAT(error(), HasSubstr("another one has the same uuid"));
}

TEST_F(Discovery, SaysWhatItLookedForOnANodeWithout) {
  FakeNode empty;
  empty.nvidia_user();
  const auto result = discover(nvidia_recipe(), empty.roots());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_found);
  EXPECT_THAT(result.error().message, HasSubstr("nvidia or nvidia-frontend in /proc/devices"));
}

TEST_F(Discovery, SaysThatTheDriverIsThereWithoutDevices) {
  std::filesystem::remove_all(node_.path("proc/driver/nvidia/gpus"));
  EXPECT_THAT(error(), HasSubstr("the driver is there, but no device"));
}

TEST_F(Discovery, TakesTheVersionFromTheLibrariesWhenTheKernelDoesNotTell) {
  std::filesystem::remove(node_.path("proc/driver/nvidia/version"));

  const auto inventory = run();

  ASSERT_TRUE(inventory) << inventory.error().line();
  EXPECT_EQ(inventory->vars.at("driver.version"), "550.90.07");
}

TEST_F(Discovery, WorksWithoutALoaderCache) {
  std::filesystem::remove(node_.path("etc/ld.so.cache"));
  EXPECT_TRUE(run()) << error();
}

TEST(DiscoveryRoots, TakeTheFirstCandidateThatHoldsTheDriver) {
  FakeNode node;
  node.nvidia_kernel();
  node.nvidia_user();
  auto recipe = nvidia_recipe();
  recipe.roots["driver"].candidates = {node.path("nowhere"), node.path("bin"), node.dir()};
  auto roots = node.roots();
  roots.driver.clear();

  const auto inventory = discover(recipe, roots);

  ASSERT_TRUE(inventory) << inventory.error().line();
  EXPECT_EQ(inventory->roots.at("driver"), node.dir());

  recipe.roots["driver"].candidates = {node.path("nowhere")};
  const auto none = discover(recipe, roots);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().message, HasSubstr("usr/bin/nvidia-smi"));
}

TEST(DiscoveryRoots, UseADriverContainersNodesOnlyWhenItHasSome) {
  FakeNode node;
  node.nvidia_kernel();
  node.nvidia_user();
  auto recipe = nvidia_recipe();
  recipe.roots["dev"].candidates = {"${root.driver}", "/"};
  recipe.roots["dev"].probe = {};
  auto roots = node.roots();
  roots.dev = "/";

  EXPECT_EQ(discover(recipe, roots)->roots.at("dev"), node.dir());

  recipe.roots["dev"].probe = {"proc"};
  std::filesystem::create_directories(node.path("proc"));
  recipe.roots["dev"].probe = {"dev/nothing-like-this", "proc/self"};
  EXPECT_EQ(discover(recipe, roots)->roots.at("dev"), "/");
}

}  // namespace
}  // namespace hami::vendors
