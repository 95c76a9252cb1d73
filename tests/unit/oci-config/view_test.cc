#include "oci-config/view.h"

#include <string>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

Result<ContainerView> view_of(const std::string& text) {
  HAMI_TRY(const Document document, Document::parse(text));
  return view(document);
}

TEST(View, ReadsWhatDecidesAboutDevices) {
  const auto got = view_of(
      R"({"annotations":{"nvidia.com/gpu":"1","io.kubernetes.cri.container-type":"container"},)"
      R"("process":{"env":["A=1","NOEQUALS","A=2=3"],"user":{"uid":7,"gid":8},)"
      R"("capabilities":{"bounding":["CAP_SYS_ADMIN"]}},"root":{"path":"rootfs","readonly":true},)"
      R"("mounts":[{"destination":"/d","source":"/s","type":"bind","options":["ro"]}],)"
      R"("linux":{"namespaces":[{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],)"
      R"("devices":[{"path":"/dev/fuse"},{"path":"/dev/x","type":"c","major":195,"minor":1},)"
      R"({"path":"/dev/y","type":"b","major":8,"minor":2}],"cgroupsPath":"/c"}})");

  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->annotation("nvidia.com/gpu"), "1");
  EXPECT_EQ(got->env_value("A"), "2=3");
  EXPECT_EQ(got->env_value("NOEQUALS"), "");
  EXPECT_EQ(got->env.size(), 3U);
  EXPECT_EQ(got->uid, 7U);
  EXPECT_TRUE(got->privileged && got->rootfs_readonly && got->has_user_namespace && got->is_kubernetes());
  EXPECT_FALSE(got->is_sandbox());
  EXPECT_EQ(got->mounts.at(0), (Mount{"/d", "/s", "bind", {"ro"}}));
  EXPECT_EQ(got->uid_mappings.at(0).host_id, 100000U);
  EXPECT_EQ(got->device_paths.at(0), "/dev/fuse");
  EXPECT_EQ(got->devices, (std::vector<DeviceNumbers>{{0, 0}, {195, 1}, {0, 0}}));
}

TEST(View, NamesTheMemberThatHasTheWrongType) {
  EXPECT_EQ(view_of(R"({"process":{"env":["A=1",2]}})").error().message, "process.env[1] is not a string");
  EXPECT_EQ(view_of(R"({"process":[]})").error().message, "process is not an object");
  EXPECT_EQ(view_of(R"({"annotations":{"a":1}})").error().message, "annotations.'a' is not a string");
  EXPECT_EQ(view_of(R"({"mounts":[{"source":"/x"}]})").error().message, "mounts[0] has no destination");
  EXPECT_EQ(view_of(R"({"linux":"x"})").error().message, "linux is not an object");
}

TEST(View, AcceptsABundleWithoutProcess) {
  const auto got = view_of("{}");

  ASSERT_TRUE(got);
  EXPECT_FALSE(got->has_process);
}

TEST(View, ChecksTheTypeOfEverythingItReads) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"annotations":[]})", "annotations is not an object"},
      {R"({"annotations":{"a":null}})", "annotations.'a' is not a string"},
      {R"({"process":{"env":"A=1"}})", "process.env is not an array"},
      {R"({"process":{"env":[null]}})", "process.env[0] is not a string"},
      {R"({"process":{"user":[]}})", "process.user is not an object"},
      {R"({"process":{"user":{"uid":-1}}})", "process.user.uid is not between 0 and 4294967295"},
      {R"({"process":{"user":{"gid":4294967296}}})", "process.user.gid is not between 0 and 4294967295"},
      {R"({"process":{"user":{"gid":18446744073709551615}}})",
       "process.user.gid is not between 0 and 4294967295"},
      {R"({"process":{"user":{"uid":1.0}}})", "process.user.uid is not an integer"},
      {R"({"process":{"capabilities":[]}})", "process.capabilities is not an object"},
      {R"({"process":{"capabilities":{"bounding":[1]}}})",
       "process.capabilities.bounding[0] is not a string"},
      {R"({"root":"rootfs"})", "root is not an object"},
      {R"({"root":{"path":1}})", "root.path is not a string"},
      {R"({"root":{"readonly":"yes"}})", "root.readonly is not true or false"},
      {R"({"mounts":{}})", "mounts is not an array"},
      {R"({"mounts":["x"]})", "mounts[0] is not an object"},
      {R"({"mounts":[{"destination":"/d","options":"ro"}]})", "mounts[0].options is not an array"},
      {R"({"linux":{"namespaces":[1]}})", "linux.namespaces[0] is not an object"},
      {R"({"linux":{"namespaces":[{"type":1}]}})", "linux.namespaces[0].type is not a string"},
      {R"({"linux":{"uidMappings":[{"hostID":"x"}]}})", "linux.uidMappings[0].hostID is not an integer"},
      {R"({"linux":{"gidMappings":[[]]}})", "linux.gidMappings[0] is not an object"},
      {R"({"linux":{"devices":[null]}})", "linux.devices[0] is not an object"},
      {R"({"linux":{"devices":[{"path":[]}]}})", "linux.devices[0].path is not a string"},
      {R"({"linux":{"cgroupsPath":1}})", "linux.cgroupsPath is not a string"},
  };
  for (const auto& [spec, message] : cases) {
    const auto got = view_of(spec);
    ASSERT_FALSE(got) << spec;
    EXPECT_EQ(got.error().code, Errc::invalid_spec) << spec;
    EXPECT_EQ(got.error().message, message);
  }
}

TEST(View, DoesNotMindWhatItDoesNotRead) {
  EXPECT_TRUE(view_of(
      R"({"ociVersion":7,"hooks":1,"process":{"args":{},"rlimits":0},"linux":{"seccomp":[],"x":1}})"));
}

TEST(View, TakesNullForAbsent) {
  const auto got = view_of(R"({"process":null,"root":null,"mounts":null,"annotations":null,"linux":null})");

  ASSERT_TRUE(got) << got.error().message;
  EXPECT_FALSE(got->has_process);
}

TEST(View, KeepsNulAndEmptyNamesInTheEnvironment) {
  const auto got = view_of(R"({"process":{"env":["A=\u0000b","=x",""]}})");

  ASSERT_TRUE(got);
  EXPECT_EQ(got->env_value("A"), std::string_view("\0b", 2));
  EXPECT_EQ(got->env.at(1), (std::pair<std::string, std::string>{"", "x"}));
  EXPECT_EQ(got->env_value("B"), std::nullopt);
}

TEST(View, KnowsASandboxOfEachEngine) {
  EXPECT_TRUE(view_of(R"({"annotations":{"io.kubernetes.cri.container-type":"sandbox"}})")->is_sandbox());
  EXPECT_TRUE(view_of(R"({"annotations":{"io.kubernetes.cri-o.ContainerType":"sandbox"}})")->is_sandbox());
  EXPECT_TRUE(view_of(R"({"annotations":{"io.kubernetes.docker.type":"podsandbox"}})")->is_sandbox());
  EXPECT_FALSE(view_of(R"({"annotations":{"io.kubernetes.cri-o.ContainerType":"container"}})")->is_sandbox());
  EXPECT_FALSE(view_of(R"({"annotations":{"io.kubernetes.cri-o.Created":"x"}})")->is_kubernetes());
}

}  // namespace
}  // namespace hami::oci
