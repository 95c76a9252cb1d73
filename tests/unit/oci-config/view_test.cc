#include "oci-config/view.h"

#include <string>

#include <gtest/gtest.h>

#include "oci-config/state.h"

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
      R"("devices":[{"path":"/dev/fuse"}],"cgroupsPath":"/c"}})");

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

TEST(MayContain, FindsNeedlesAlsoWhenEscapesCouldHideThem) {
  EXPECT_TRUE(may_contain(R"({"a":"HAMI_RESOURCES=x"})", {"HAMI_RESOURCES"}));
  EXPECT_TRUE(may_contain(R"({"a":"\u0048AMI_RESOURCES=x"})", {"HAMI_RESOURCES"}));
  EXPECT_FALSE(may_contain(R"({"a":"PATH=/bin"})", {"HAMI_RESOURCES", "VISIBLE_DEVICES"}));
}

TEST(State, ReadsWhatARuntimeTellsItsHooks) {
  const auto got = parse_state(
      R"({"ociVersion":"1.0","id":"x","pid":12,"status":"creating","bundle":"/b","annotations":{"k":"v"}})");

  ASSERT_TRUE(got);
  EXPECT_EQ(got->id, "x");
  EXPECT_EQ(got->pid, 12);
  EXPECT_EQ(got->annotations.at("k"), "v");
  EXPECT_FALSE(parse_state("{}"));
  EXPECT_FALSE(parse_state(R"({"id":7,"bundle":"/b"})"));
}

}  // namespace
}  // namespace hami::oci
