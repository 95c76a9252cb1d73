// Limits of memory that the kernel holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vendors/fake_node.h"
#include "vendors/render.h"

namespace hami::vendors {
namespace {

using testing::IsEmpty;

class RenderKernel : public testing::Test {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.nvidia_user();
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
    recipe_.slice.kernel_memory = "drm/${dev.bdf}/vram*";
  }

  Rendered render_two() {
    const auto inventory = discover(recipe_, node_.roots());
    EXPECT_TRUE(inventory) << (inventory ? "" : inventory.error().line());
    std::vector<Slice> slices(2);
    slices[0].memory = Bytes{4096};
    slices[1].device_index = 1;
    slices[1].memory = Bytes{1001};
    const auto rendered = render(recipe_, *inventory, slices, {}, {});
    EXPECT_TRUE(rendered) << (rendered ? "" : rendered.error().line());
    return rendered.value_or(Rendered{});
  }

  FakeNode node_;
  Recipe recipe_ = nvidia_recipe();
};

TEST_F(RenderKernel, WithoutTheControllerNothingIsHeld) {
  const auto rendered = render_two();
  EXPECT_THAT(rendered.edits.unified, IsEmpty());
  EXPECT_FALSE(rendered.kernel_holds_memory);
}

TEST_F(RenderKernel, TheRegionsOfACardHaveNoMoreThanTheLimitTogether) {
  node_.write("sys/fs/cgroup/dmem.capacity",
              "drm/0000:1a:00.0/vram0 1\ndrm/0000:3b:00.0/vram0 1\ndrm/0000:3b:00.0/vram1 1\n"
              "drm/0000:3b:00.0/stolen 1\ndrm/0000:3c:00.0/vram0 1\n");
  const auto rendered = render_two();
  EXPECT_EQ(rendered.edits.unified.at("dmem.max"),
            "drm/0000:1a:00.0/vram0 4096\ndrm/0000:3b:00.0/vram0 500\ndrm/0000:3b:00.0/vram1 500");
  EXPECT_TRUE(rendered.kernel_holds_memory);
}

TEST_F(RenderKernel, ACardWithoutARegionIsNotHeld) {
  node_.write("sys/fs/cgroup/dmem.capacity", "drm/0000:1a:00.0/vram0 1\n");
  EXPECT_FALSE(render_two().kernel_holds_memory);
}

}  // namespace
}  // namespace hami::vendors
