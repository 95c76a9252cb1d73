// Masks of compute units, by the recipe for AMD's cards and a node that states how many they have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"
#include "vendors/render.h"

namespace hami::vendors {
namespace {

class RenderMasks : public testing::Test {
 protected:
  void SetUp() override {
    if (!node_.node("dev/kfd", 235, 0))
      GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
    node_.write("proc/devices", "Character devices:\n226 drm\n235 kfd\n");
    for (unsigned i = 0; i < 2; ++i) {
      const std::string card = "sys/bus/pci/devices/0000:0" + std::to_string(i + 1) + ":00.0/";
      node_.write(card + "vendor", "0x1002");
      node_.write(card + "class", "0x038000");
      node_.link(card + "driver", "../../../bus/pci/drivers/amdgpu");
      node_.write(card + "drm/renderD" + std::to_string(128 + i) + "/dev", "");
      ASSERT_TRUE(node_.node("dev/dri/renderD" + std::to_string(128 + i), 226, 128 + i));
    }
    node_.write("overlay/amd.yaml",
                "apiVersion: hami.io/recipe/v1\nkind: Overlay\nextends: amd\n"
                "devices: {fields: {cu_count: {type: number, from: [{value: \"304\"}]}}}\n");
  }

  // What HSA_CU_MASK says of these slices; "" when it is not set.
  std::string mask(const std::vector<Slice>& slices) {
    const auto recipes = load_recipes({HAMI_VENDORS_DIR, node_.path("overlay")});
    EXPECT_TRUE(recipes) << recipes.error().line();
    for (const Recipe& recipe : *recipes) {
      if (recipe.metadata.name != "amd") continue;
      const auto inventory = discover(recipe, node_.roots());
      EXPECT_TRUE(inventory) << inventory.error().line();
      EXPECT_EQ(core_steps_of(recipe.slice, inventory->devices[0]), 304U);
      const auto rendered = render(recipe, *inventory, slices, {}, {});
      EXPECT_TRUE(rendered) << rendered.error().line();
      for (const auto& edit : rendered->edits.env) {
        if (edit.name == "HSA_CU_MASK") return edit.value;
      }
    }
    return {};
  }

  static Slice slice(std::uint32_t device, std::size_t first, std::size_t last) {
    Slice out;
    out.device_index = device;
    for (std::size_t i = first; i <= last; ++i) out.parts.set(i);
    return out;
  }

  FakeNode node_;
};

TEST_F(RenderMasks, NameTheUnitsOfEachDeviceByTheProgramsNumber) {
  EXPECT_EQ(mask({slice(0, 0, 151)}), "0:0-151");
  EXPECT_EQ(mask({slice(1, 152, 303)}), "0:152-303");
  EXPECT_EQ(mask({slice(0, 0, 75), slice(1, 228, 303)}), "0:0-75;1:228-303");
}

TEST_F(RenderMasks, AreNotSetWithoutALimitOfTheCores) { EXPECT_EQ(mask({Slice{}}), ""); }

}  // namespace
}  // namespace hami::vendors
