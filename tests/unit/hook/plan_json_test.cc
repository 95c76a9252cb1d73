#include "vendors/plan_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hami::vendors {
namespace {

using ::testing::HasSubstr;

HookPlan nvidia_plan() {
  HookPlan plan;
  plan.links = {{"/usr/lib/x86_64-linux-gnu/libcuda.so", "libcuda.so.1"},
                {"/usr/lib/x86_64-linux-gnu/libGLX_indirect.so.0", "libGLX_nvidia.so.550.90.07"}};
  plan.ldcache_dirs = {"/usr/lib/x86_64-linux-gnu", "/usr/local/Ascend/driver/lib64"};
  plan.libraries = {"/usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07"};
  plan.proc_overrides = {{"/proc/driver/nvidia/params", "ModifyDeviceFiles: 1", "ModifyDeviceFiles: 0"}};
  return plan;
}

std::string message_of(const std::string& text) {
  const auto plan = parse_plan(text);
  return plan ? "accepted" : plan.error().message;
}

TEST(PlanJson, ReadsBackWhatItWrote) {
  const auto text = to_json(nvidia_plan());

  ASSERT_TRUE(text) << text.error().message;
  const auto plan = parse_plan(*text);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(*plan, nvidia_plan());
}

TEST(PlanJson, WritesOneLineThatPeopleCanRead) {
  HookPlan plan;
  plan.links = {{"/usr/lib/libcuda.so", "libcuda.so.1"}};

  EXPECT_EQ(*to_json(plan),
            "{\"version\":2,\"links\":[{\"path\":\"/usr/lib/libcuda.so\",\"target\":\"libcuda.so.1\"}],"
            "\"ldcacheDirs\":[],\"libraries\":[],\"procOverrides\":[]}\n");
}

TEST(PlanJson, KeepsTextThatNeedsEscapes) {
  HookPlan plan;
  plan.links = {{"/opt/\"quoted\"\n\xc3\xa9", "a\\b"}};

  EXPECT_EQ(*parse_plan(*to_json(plan)), plan);
}

TEST(PlanJson, RefusesMembersItDoesNotKnow) {
  EXPECT_THAT(
      message_of(
          R"({"version":2,"links":[],"ldcacheDirs":[],"libraries":[],"procOverrides":[],"exec":["x"]})"),
      HasSubstr("does not know"));
  EXPECT_THAT(
      message_of(
          R"({"version":2,"links":[{"path":"/a","target":"b","mode":1}],"ldcacheDirs":[],"libraries":[],)"
          R"("procOverrides":[]})"),
      HasSubstr("links[0]"));
}

TEST(PlanJson, RefusesMissingAndRepeatedMembers) {
  EXPECT_THAT(message_of(R"({"version":2,"links":[],"ldcacheDirs":[],"libraries":[]})"),
              HasSubstr("procOverrides"));
  EXPECT_THAT(
      message_of(
          R"({"version":2,"version":2,"links":[],"ldcacheDirs":[],"libraries":[],"procOverrides":[]})"),
      HasSubstr("duplicate"));
}

TEST(PlanJson, RefusesAnotherVersionAndSaysWhatToDo) {
  const auto plan =
      parse_plan(R"({"version":3,"links":[],"ldcacheDirs":[],"libraries":[],"procOverrides":[]})");

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::invalid_spec);
  EXPECT_THAT(plan.error().line(), HasSubstr("same release"));
}

TEST(PlanJson, RefusesWrongTypesByName) {
  EXPECT_THAT(message_of(R"({"version":2,"links":{},"ldcacheDirs":[],"libraries":[],"procOverrides":[]})"),
              HasSubstr("links is not an array"));
  EXPECT_THAT(
      message_of(R"({"version":2,"links":[],"ldcacheDirs":["/a",7],"libraries":[],"procOverrides":[]})"),
      HasSubstr("ldcacheDirs[1]"));
  EXPECT_THAT(message_of(R"({"version":2,"links":[{"path":[],"target":"b"}],"ldcacheDirs":[],"libraries":[],)"
                         R"("procOverrides":[]})"),
              HasSubstr("links[0].path is not a string"));
}

TEST(PlanJson, RefusesPathsThatCouldLeaveTheRoot) {
  for (const std::string path : {"relative", "", "/", "/a/../b", "/./a", "//a", "/a/"}) {
    HookPlan plan;
    plan.links = {{path, "target"}};
    EXPECT_FALSE(to_json(plan)) << path;
  }
}

TEST(PlanJson, RefusesTextTheKernelWouldCut) {
  HookPlan plan;
  plan.links = {{std::string("/a\0b", 4), "target"}};
  EXPECT_FALSE(validate(plan));
  plan.links = {{"/a", std::string("b\0c", 3)}};
  EXPECT_FALSE(validate(plan));
  plan.links = {{"/a", ""}};
  EXPECT_FALSE(validate(plan));
  plan.links = {{"/" + std::string(5000, 'a'), "b"}};
  EXPECT_FALSE(validate(plan));
}

TEST(PlanJson, RefusesDirectoriesThatAddLinesToALoaderConfiguration) {
  for (const std::string directory : {"/a\n/b", "/a b", "/a:/b", "/a#b", "/a,b"}) {
    HookPlan plan;
    plan.ldcache_dirs = {directory};
    EXPECT_FALSE(validate(plan)) << directory;
  }
}

TEST(PlanJson, RefusesOverridesOutsideProcAndOfSeveralLines) {
  HookPlan plan;
  plan.proc_overrides = {{"/etc/passwd", "a", "b"}};
  EXPECT_FALSE(validate(plan));
  plan.proc_overrides = {{"/proc/version", "a", "b\nc"}};
  EXPECT_FALSE(validate(plan));
  plan.proc_overrides = {{"/proc/version", "", "b"}};
  EXPECT_FALSE(validate(plan));
}

TEST(PlanJson, RefusesMoreItemsThanAnyRecipeHas) {
  HookPlan plan;
  plan.ldcache_dirs.assign(kMaxPlanItems + 1, "/usr/lib");

  EXPECT_FALSE(to_json(plan));
}

}  // namespace
}  // namespace hami::vendors
