#include "runtime-shim/precreate.h"

#include <string>

#include <gtest/gtest.h>

#include "oci-config/document.h"

namespace hami::shim {
namespace {

const std::string kId(64, 'a');

oci::ContainerView view_with_cgroup(const std::string& path) {
  oci::ContainerView view;
  view.cgroups_path = path;
  return view;
}

TEST(PodmanContainerId, IsInTheCgroupOfBothManagers) {
  EXPECT_EQ(podman_container_id(view_with_cgroup("/libpod_parent/libpod-" + kId)).value_or(""), kId);
  EXPECT_EQ(podman_container_id(view_with_cgroup("machine.slice:libpod:" + kId)).value_or(""), kId);
  EXPECT_EQ(podman_container_id(view_with_cgroup("/x/libpod-" + kId + ".scope/container")).value_or(""), kId);
}

TEST(PodmanContainerId, IsInTheMountOfPodmanWhenThereIsNoCgroup) {
  oci::ContainerView view;
  view.mounts = {
      {"/etc/hosts", "/run/" + std::string(64, 'b') + "/hosts", "bind", {}},
      {"/run/.containerenv", "/run/vfs-containers/" + kId + "/userdata/.containerenv", "bind", {}}};

  EXPECT_EQ(podman_container_id(view).value_or(""), kId);
}

TEST(PodmanContainerId, IsNoOtherText) {
  EXPECT_FALSE(podman_container_id(view_with_cgroup("")));
  EXPECT_FALSE(podman_container_id(view_with_cgroup("/libpod-../../etc")));
  EXPECT_FALSE(podman_container_id(view_with_cgroup("/libpod-" + std::string(63, 'a'))));
  EXPECT_FALSE(podman_container_id(view_with_cgroup("/libpod-" + std::string(64, 'A'))));
}

TEST(Precreate, GivesATextThatAsksForNothingBackAsItIs) {
  const std::string text = "{ \"process\" : {} }\n";

  EXPECT_EQ(precreate(text, Config{}, 1).value_or(""), text);
}

TEST(Precreate, RefusesByAHookThatSaysWhy) {
  Config config;
  config.paths.hook = "/opt/hami-hook";

  const auto got = refusing(R"({"process":{},"unknown":1})", config, "no room: \"x\"");

  ASSERT_TRUE(got) << got.error().line();
  EXPECT_NE(got->find(R"("unknown":1)"), std::string::npos);
  EXPECT_NE(
      got->find(
          R"("hooks":{"createRuntime":[{"path":"/opt/hami-hook","args":["hami-hook","refuse","--reason",)"
          R"("no room: \"x\""])"),
      std::string::npos)
      << *got;
}

TEST(Precreate, CannotRefuseInATextThatIsNoDocument) { EXPECT_FALSE(refusing("{", Config{}, "why")); }

}  // namespace
}  // namespace hami::shim
