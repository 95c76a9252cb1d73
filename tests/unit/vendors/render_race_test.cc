// The node changes between discovery and the edits of a container.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <atomic>
#include <thread>

#include "tests/unit/vendors/fake_node.h"
#include "vendors/render.h"

namespace hami::vendors {
namespace {

using ::testing::HasSubstr;

class RenderRace : public ::testing::Test {
 protected:
  void SetUp() override {
    node_.nvidia_kernel();
    node_.nvidia_user();
    if (!node_.nvidia_nodes()) GTEST_SKIP() << "device nodes cannot be made here (needs root with CAP_MKNOD)";
  }
  [[nodiscard]] Inventory seen() const {
    auto inventory = discover(recipe_, node_.roots());
    EXPECT_TRUE(inventory);
    return inventory.value_or(Inventory{});
  }
  Result<Rendered> first_card(const Inventory& inventory) {
    return render(recipe_, inventory, {Slice{0, {}, {}, true}}, {}, facts_);
  }

  FakeNode node_;
  Recipe recipe_ = nvidia_recipe();
  ContainerFacts facts_;
};

TEST_F(RenderRace, ADeviceThatVanishedIsRefusedByName) {
  const Inventory inventory = seen();
  std::filesystem::remove(node_.path("dev/nvidia0"));

  const auto rendered = first_card(inventory);

  ASSERT_FALSE(rendered);
  EXPECT_THAT(rendered.error().line(), HasSubstr("'/dev/nvidia0'"));
}

TEST_F(RenderRace, ADeviceThatBecameAnotherIsRefused) {
  const Inventory inventory = seen();
  ASSERT_TRUE(node_.node("dev/nvidia0", 195, 1));

  const auto rendered = first_card(inventory);

  ASSERT_FALSE(rendered);
  EXPECT_THAT(rendered.error().line(), HasSubstr("has minor 1 instead of 0"));
}

TEST_F(RenderRace, ALibraryThatIsSwappedForALinkNeverLeadsOutOfTheDriverRoot) {
  FakeNode outside;
  outside.write("secret.so.550.90.07", "secret");
  const std::string library = node_.path("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07");
  const std::string link = library + ".link";
  std::filesystem::create_symlink(outside.path("secret.so.550.90.07"), link);
  const Inventory inventory = seen();
  std::atomic<bool> is_over = false;
  std::thread swapper([&] {
    while (!is_over) ::renameat2(AT_FDCWD, library.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });

  // Until it has met the file and the link often enough to mean something.
  int given = 0;
  int refused = 0;
  while (given < 50 || refused < 50) {
    const auto rendered = first_card(inventory);
    ++(rendered ? given : refused);
    if (!rendered) continue;
    for (const auto& mount : rendered->edits.mounts)
      EXPECT_TRUE(mount.source.starts_with(node_.dir())) << mount.source;
  }
  is_over = true;
  swapper.join();
}

}  // namespace
}  // namespace hami::vendors
