// The fake root is a node to the product: the same recipe finds the cards, and renders what a container
// needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "tests/fake/sim_node.h"
#include "vendors/discovery.h"
#include "vendors/recipe_yaml.h"
#include "vendors/render.h"

namespace hami::fake {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr const char* kConfig =
    "driver_version = 550.90.07\ncheck_nodes = 1\n"
    "[gpu]\nname = NVIDIA A100-SXM4-40GB\nuuid = GPU-11111111-2222-3333-4444-555555555555\n"
    "[gpu]\nname = NVIDIA T4\nuuid = GPU-66666666-7777-8888-9999-000000000000\nmemory_mib = 15360\nminor = "
    "3\n";

class FakeRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "making device nodes needs root";
    node_.write("topology", kConfig);
    const Outcome made = node_.run({HAMI_SOURCE_DIR "/tests/fakeroot/mkfakeroot", "--build", HAMI_BUILD_DIR,
                                    "--config", node_.file("topology"), root()});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  [[nodiscard]] std::string root() const { return node_.file("root"); }

  [[nodiscard]] vendors::HostRoots roots() const {
    return {root(),
            root(),
            root() + "/proc",
            root() + "/sys",
            node_.file("state_dir"),
            HAMI_BIN_DIR "/hami-probe"};
  }

  // From a copy: recipes must be root's alone, and a checkout's modes are those of its owner's umask.
  [[nodiscard]] vendors::Recipe recipe() const {
    const std::filesystem::path dir = node_.file("recipes");
    std::filesystem::create_directory(dir);
    std::filesystem::permissions(dir, std::filesystem::perms(0755));
    for (const char* name : {"vendors/nvidia.yaml", "tests/fakeroot/simulated-nvidia.yaml"}) {
      const std::filesystem::path from = std::filesystem::path(HAMI_SOURCE_DIR) / name;
      const auto to = dir / from.filename();
      std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
      std::filesystem::permissions(to, std::filesystem::perms(0644));
    }
    auto recipes = vendors::load_recipes({dir.string()});
    if (!recipes) {
      ADD_FAILURE() << recipes.error().message;
      return {};
    }
    for (auto& candidate : *recipes) {
      if (candidate.metadata.name == "nvidia") return std::move(candidate);
    }
    ADD_FAILURE() << "no recipe 'nvidia'";
    return {};
  }

  SimNode node_;
};

TEST_F(FakeRoot, TheRecipeFindsTheCardsThatTheSimulatedDriverHas) {
  const auto inventory = vendors::discover(recipe(), roots());

  ASSERT_TRUE(inventory.has_value()) << inventory.error().message;
  ASSERT_EQ(inventory->devices.size(), 2U);
  EXPECT_EQ(inventory->devices[0].uuid, "GPU-11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(inventory->devices[0].memory.value, 40960 * kMiB);
  EXPECT_EQ(inventory->devices[1].model, "NVIDIA T4");
  EXPECT_EQ(inventory->devices[1].memory.value, 15360 * kMiB);
  EXPECT_EQ(inventory->devices[1].fields.at("minor"), "3");
  EXPECT_EQ(inventory->devices[1].pci_bus_id, "0000:3f:00.0");
}

TEST_F(FakeRoot, AContainerGetsTheNodesTheLibrariesAndTheSharedState) {
  const auto inventory = vendors::discover(recipe(), roots());
  ASSERT_TRUE(inventory.has_value()) << inventory.error().message;

  const auto rendered = vendors::render(recipe(), *inventory, {{1, Bytes{3000 * kMiB}, Percent{30}, false}},
                                        {}, {"key", root(), false, true, {}});

  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_THAT(rendered->edits.devices, Contains(Field(&oci::DeviceEdit::path, "/dev/nvidia3")));
  EXPECT_THAT(rendered->edits.devices,
              ::testing::Not(Contains(Field(&oci::DeviceEdit::path, "/dev/nvidia0"))));
  EXPECT_THAT(rendered->edits.mounts, Contains(Field(&oci::Mount::destination, "/var/lib/simgpu/state")));
  EXPECT_THAT(rendered->edits.mounts,
              Contains(Field(&oci::Mount::destination, HasSubstr("/libcuda.so.550.90.07"))));
  EXPECT_THAT(rendered->edits.mounts, Contains(Field(&oci::Mount::destination, "/usr/bin/nvidia-smi")));
}

TEST_F(FakeRoot, ItsOwnNvidiaSmiShowsTheSameCards) {
  const std::string libraries = root() + "/usr/lib/" + HAMI_TRIPLET;

  const Outcome listed =
      node_.run({root() + "/usr/bin/nvidia-smi", "-L"},
                {{"LD_LIBRARY_PATH", libraries}, {"SIMGPU_STATE", root() + "/var/lib/simgpu/state"}});

  EXPECT_EQ(listed.out,
            "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-2222-3333-4444-555555555555)\n"
            "GPU 1: NVIDIA T4 (UUID: GPU-66666666-7777-8888-9999-000000000000)\n");
}

TEST_F(FakeRoot, ACardWhoseNodeIsMissingIsNotThere) {
  ASSERT_EQ(unlink((root() + "/dev/nvidia0").c_str()), 0);

  // Without SIMGPU_STATE the library finds the state and the nodes of the root it lies in.
  const Outcome listed =
      node_.run({"/usr/bin/env", "-u", "SIMGPU_STATE", root() + "/usr/bin/nvidia-smi", "-L"},
                {{"LD_LIBRARY_PATH", root() + "/usr/lib/" + HAMI_TRIPLET}});

  EXPECT_EQ(listed.out, "GPU 0: NVIDIA T4 (UUID: GPU-66666666-7777-8888-9999-000000000000)\n");
}

}  // namespace
}  // namespace hami::fake
