// A recipe that stands in for another one: exactly one of the two counts on a node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/vendors/fake_node.h"
#include "vendors/discovery.h"
#include "vendors/recipe_cache.h"

namespace hami::vendors {
namespace {

class Platform : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> recipes_of(const std::string& vendor) const {
    const HostRoots roots{node_.dir(),       node_.dir(),         node_.path("proc"),
                          node_.path("sys"), node_.path("state"), ""};
    auto kept = KeptRecipes::load({HAMI_VENDORS_DIR}, node_.path("state/recipes.cache"));
    EXPECT_TRUE(kept) << kept.error().line();
    kept->choose_platform(roots);
    EXPECT_TRUE(kept->complete_all());
    const auto whole = load_recipes({HAMI_VENDORS_DIR}).value();
    std::vector<std::string> names;
    for (const Recipe& recipe : kept->all()) {
      EXPECT_THAT(whole, testing::Contains(recipe)) << recipe.metadata.name;
      if (recipe.metadata.vendor == vendor) names.push_back(recipe.metadata.name);
    }
    return names;
  }
  [[nodiscard]] std::vector<std::string> nvidia_recipes() const { return recipes_of("nvidia.com"); }
  FakeNode node_;
};

TEST_F(Platform, TheDiscreteDriverIsUsual) { EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia")); }

TEST_F(Platform, ALinuxOfWindowsHasItsOwnRecipe) {
  node_.write("dev/dxg", "");
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia"));  // Windows has another vendor's card
  node_.write("usr/lib/wsl/lib/libnvidia-ml.so.1", "");
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia-wsl"));
}

TEST_F(Platform, ATegraBoardHasItsOwnRecipeUnlessItHasACardToo) {
  node_.write("etc/nv_tegra_release", "# R36");
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia-tegra"));
  node_.write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Device Minor: 0");
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia"));
}

TEST_F(Platform, CardsThatAreDividedHaveTheirOwnRecipe) {
  node_.write("dev/kfd", "");
  node_.write("sys/bus/pci/devices/0000:05:00.0/vendor", "0x1002");
  node_.link("sys/bus/pci/devices/0000:05:00.0/driver", "../../../bus/pci/drivers/amdgpu");
  EXPECT_THAT(recipes_of("amd.com"), testing::ElementsAre("amd"));
  node_.write("sys/devices/platform/amdgpu_xcp_0/uevent", "");  // a card that could be has it too
  node_.write("sys/bus/pci/devices/0000:05:00.0/current_compute_partition", "SPX\n");
  EXPECT_THAT(recipes_of("amd.com"), testing::ElementsAre("amd"));
  node_.write("sys/bus/pci/devices/0000:05:00.0/current_compute_partition", "CPX\n");
  EXPECT_THAT(recipes_of("amd.com"), testing::ElementsAre("amd-xcp"));
}

TEST_F(Platform, TheChoiceIsMadeAnewFromTheKeptCopy) {
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia"));
  node_.write("dev/dxg", "");
  node_.write("usr/lib/wsl/lib/libnvidia-ml.so.1", "");
  EXPECT_THAT(nvidia_recipes(), testing::ElementsAre("nvidia-wsl"));
}

}  // namespace
}  // namespace hami::vendors
