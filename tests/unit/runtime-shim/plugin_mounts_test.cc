// What becomes of the mounts that HAMi's device plugin left in a container.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/plugin_mounts.h"

namespace hami::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// As the plugin answers: the library before its directory. `hook`: the plugin's HOOK_PATH.
oci::ContainerView container_of(const std::string& hook) {
  oci::ContainerView view;
  view.mounts = {{hook + "/vgpu/libvgpu.so", hook + "/vgpu/libvgpu.so.v2.6.0", "bind", {"ro"}},
                 {hook + "/vgpu", hook + "/vgpu/containers/1111_train", "bind", {"rw"}},
                 {"/tmp/vgpulock", "/tmp/vgpulock", "bind", {"rw"}},
                 {"/etc/ld.so.preload", hook + "/vgpu/ld.so.preload", "bind", {"ro"}}};
  return view;
}

TEST(PluginMounts, ALibraryComesBehindItsDirectory) {
  const auto view = container_of("/usr/local");
  oci::ContainerEdits edits;
  uncover_plugin_libraries(view, edits);
  EXPECT_THAT(edits.drop_mounts, ElementsAre(view.mounts[0])) << "T84";
  EXPECT_THAT(edits.mounts, ElementsAre(view.mounts[0])) << "T84";
}

TEST(PluginMounts, OneThatIsInOrderStays) {
  auto view = container_of("/usr/local");
  std::swap(view.mounts[0], view.mounts[1]);
  EXPECT_THAT(hidden_plugin_libraries(view), IsEmpty());
}

TEST(PluginMounts, OneThatOursReplacesIsNotMoved) {
  const auto view = container_of("/usr/local");
  oci::ContainerEdits edits;
  edits.mounts = {{"/usr/local/vgpu/libvgpu.so", "/usr/lib/hami/libvgpu.so", "bind", {"ro"}}};
  edits.drop_mounts = {view.mounts[0]};
  uncover_plugin_libraries(view, edits);
  EXPECT_EQ(edits.mounts.size(), 1U);
}

// Another HOOK_PATH moves everything but the name in the preload file, so the plugin's own way does not load.
TEST(PluginMounts, OursStandInWhateverThePluginsHookPathIs) {
  for (const char* hook : {"/usr/local", "/opt/hami"}) {
    const auto view = container_of(hook);
    EXPECT_TRUE(is_replaced_plugin_mount(view.mounts[0])) << "T86 " << hook;
    EXPECT_FALSE(is_replaced_plugin_mount(view.mounts[1])) << hook;
    EXPECT_FALSE(is_replaced_plugin_mount(view.mounts[2])) << hook;
    EXPECT_TRUE(is_replaced_plugin_mount(view.mounts[3])) << "T86 " << hook;
  }
}

TEST(PluginMounts, AVolumeOfThePodsOwnerStays) {
  EXPECT_FALSE(
      is_replaced_plugin_mount({"/etc/ld.so.preload", "/var/lib/kubelet/pods/1/volumes/x", "bind", {}}));
  EXPECT_FALSE(is_replaced_plugin_mount({"/data/libvgpu.so.d", "/data/libvgpu.so.d", "bind", {}}));
}

}  // namespace
}  // namespace hami::shim
