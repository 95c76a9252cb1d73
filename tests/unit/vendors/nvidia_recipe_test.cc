// What other parts rely on in the shipped recipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci-config/base/files.h"
#include "vendors/recipe_yaml.h"

namespace hami::vendors {
namespace {

using testing::ElementsAre;

Recipe nvidia() {
  const auto yaml = files::read(HAMI_VENDORS_DIR "/nvidia.yaml", 1U << 20U);
  EXPECT_TRUE(yaml);
  auto recipe = parse_recipe(yaml.value_or(""), "nvidia.yaml");
  EXPECT_TRUE(recipe) << (recipe ? "" : recipe.error().line());
  return recipe.value_or(Recipe{});
}

TEST(NvidiaRecipe, LoadsAndNamesTheResourcesUsersWrite) {
  const auto recipe = nvidia();

  EXPECT_EQ(recipe.metadata.name, "nvidia");
  EXPECT_THAT(recipe.resources.count, ElementsAre("nvidia.com/gpu"));
  EXPECT_THAT(recipe.resources.memory.names, ElementsAre("nvidia.com/gpumem"));
  EXPECT_EQ(recipe.resources.memory.unit, Bytes::mib(1));
  EXPECT_THAT(recipe.resources.cores.names, ElementsAre("nvidia.com/gpucores"));
  EXPECT_EQ(recipe.resources.cores.whole, 100U);
  EXPECT_THAT(recipe.request.env, ElementsAre("NVIDIA_VISIBLE_DEVICES"));
  EXPECT_EQ(recipe.slice.mechanism, SliceMechanism::preload);
}

TEST(NvidiaRecipe, GivesUtilityAndComputeByDefault) {
  EXPECT_THAT(select_capabilities(nvidia().capabilities, "").value(), ElementsAre("compute", "utility"));
}

TEST(NvidiaRecipe, AddsWhatACapabilityImplies) {
  const auto capabilities = nvidia().capabilities;

  EXPECT_THAT(select_capabilities(capabilities, "video").value(), ElementsAre("compute", "video"));
  EXPECT_THAT(select_capabilities(capabilities, " display , utility,").value(),
              ElementsAre("graphics", "utility", "display"));
  EXPECT_EQ(select_capabilities(capabilities, "all").value(), capabilities.tokens);
}

TEST(NvidiaRecipe, RefusesAnUnknownCapability) {
  const auto result = select_capabilities(nvidia().capabilities, "compute,gaming");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::invalid_request);
  EXPECT_THAT(result.error().message, testing::HasSubstr("'gaming'"));
}

}  // namespace
}  // namespace hami::vendors
