// What the loader says about rules for slices, devices and blocks that are wrong: place, cause, and what to
// do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vendors/recipe_tests.h"
#include "vendors/recipe_yaml.h"

namespace hami::vendors {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Six lines; tests add theirs from line 7 on.
constexpr std::string_view kBase = R"(apiVersion: hami.io/recipe/v1
kind: Recipe
metadata: {name: card, vendor: example.com, class: card}
devices:
  each: {path: "${root.dev}/dev/card*", field: minor, type: number}
  key: minor
)";

std::string error_line(std::string_view more) {
  const auto recipe = parse_recipe(std::string(kBase) + std::string(more), "f.yaml");
  return recipe ? "no error" : recipe.error().line();
}

std::string devices_error(const std::string& path) {
  const auto recipe = parse_recipe(
      "apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: a, vendor: b.com, class: c}\n"
      "devices: {each: {path: \"" +
          path + "\", field: a, type: number}}\n",
      "f.yaml");
  return recipe ? "no error" : recipe.error().line();
}

std::string block_error(const std::string& rest) {
  return error_line("inject:\n  - id: a\n    " + rest + "\n");
}

TEST(RecipeRules, SuggestsTheNearestWord) {
  EXPECT_THAT(error_line("slice: {mechanism: prelaod}\n"),
              testing::AllOf(StartsWith("f.yaml:7:20: unknown value 'prelaod'"),
                             HasSubstr("did you mean 'preload'")));
  EXPECT_THAT(error_line("slice: {memoryTeirs: [1GiB]}\n"), HasSubstr("did you mean 'memoryTiers'"));
  EXPECT_THAT(error_line("request: {tokens: [rang]}\n"), HasSubstr("did you mean 'range'"));
}

TEST(RecipeRules, AGroupHasDevices) {
  EXPECT_THAT(error_line("resources: {models: [{model: X, count: a.b/c, group: 0}]}\n"),
              HasSubstr("group must not be 0"));
}

TEST(RecipeRules, TiersAscendAndAmountsHaveUnits) {
  EXPECT_THAT(error_line("slice: {memoryTiers: [2GiB, 1GiB]}\n"),
              StartsWith("f.yaml:7:22: the tiers must ascend"));
  EXPECT_THAT(error_line("slice: {memoryTiers: [lots]}\n"), HasSubstr("'lots' is not an amount of memory"));
  EXPECT_THAT(error_line("slice: {templates: [{name: a, memory: 1GiB, cores: 101}]}\n"),
              HasSubstr("must not be above 100"));
  EXPECT_THAT(error_line("slice: {templates: [{name: a}]}\n"), HasSubstr("the key 'memory' is missing"));
}

TEST(RecipeRules, APathHasOneStarInItsLastComponent) {
  EXPECT_THAT(devices_error("${root.dev}/dev/*/card*"), HasSubstr("one '*', in its last component"));
  EXPECT_THAT(block_error("deviceNode: {path: \"/dev/*/card0\", verify: {kernelName: true}}"),
              HasSubstr("'*' is for the last component only"));
}

TEST(RecipeRules, AGlobCannotLeaveItsRoot) {
  EXPECT_THAT(block_error("deviceNode: {path: \"/dev/../etc/*\", verify: {kernelName: true}}"),
              HasSubstr("must not have '.' or '..'"));
  EXPECT_THAT(devices_error("${root.dev}/../card*"), HasSubstr("must not have '.' or '..'"));
}

TEST(RecipeRules, ANodeNeedsAWayToBeVerified) {
  EXPECT_THAT(block_error("deviceNode: {path: /dev/card0, verify: {minor: \"0\"}}"),
              testing::AllOf(HasSubstr("the key 'driver' is missing"), HasSubstr("kernelName")));
  EXPECT_THAT(block_error("deviceNode: {path: /dev/card0, host: /dev/mem, verify: {kernelName: true}}"),
              HasSubstr("'/dev/mem' must not be given to a container"));
}

TEST(RecipeRules, WhatIsOnlyReportedCannotBeRequired) {
  EXPECT_THAT(block_error("certainty: reported\n    deviceNode: {path: /dev/card0, required: true, verify: "
                          "{kernelName: true}}"),
              HasSubstr("what is only reported cannot be required"));
}

TEST(RecipeRules, SystemCallsHaveNames) {
  EXPECT_THAT(block_error("syscalls: [mbind, Mount]"), HasSubstr("'Mount' is not the name of a system call"));
  EXPECT_EQ(block_error("syscalls: [mbind, pidfd_getfd]"), "no error");
}

TEST(RecipeRules, ARefusalNeedsAConditionAndAFileAPathOfTheContainer) {
  EXPECT_THAT(block_error("refuse: {cause: never}"), HasSubstr("the key 'when' is missing"));
  EXPECT_THAT(block_error("file: {path: /etc/ld.so.preload, lines: [x]}"),
              HasSubstr("must not be covered in a container"));
  EXPECT_THAT(block_error("file: {path: /etc/card.conf, lines: [\"${env.HOME}\"]}"),
              HasSubstr("a container's variable must not become part of an edit"));
}

TEST(RecipeRules, LibrariesAreInADirectory) {
  EXPECT_THAT(block_error("mount: {host: /opt/card/lib, libraries: true}"), HasSubstr("add kind: directory"));
}

TEST(RecipeRules, AnUnknownBuiltInIsNamed) {
  const auto recipe = parse_recipe(
      "apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: a, vendor: b.com, class: c}\n"
      "devices:\n  each: {path: \"${root.dev}/dev/a*\", field: a, type: number}\n  probe: {adapter: magic}\n",
      "f.yaml");
  ASSERT_FALSE(recipe);
  EXPECT_THAT(recipe.error().line(),
              testing::AllOf(StartsWith("f.yaml:6:20: unknown value 'magic'"), HasSubstr("nvml")));
}

TEST(RecipeRules, AReadingHasOnePlace) {
  const auto recipe = parse_recipe(
      "apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: a, vendor: b.com, class: c}\nvars:\n"
      "  x: {type: number, from: {value: \"1\", file: \"${root.proc}/x\"}}\n",
      "f.yaml");
  ASSERT_FALSE(recipe);
  EXPECT_THAT(recipe.error().line(), StartsWith("f.yaml:5:27: expected exactly one of value, file, link"));
}

TEST(RecipeTests, NumbersAreFilledIn) {
  EXPECT_EQ(numbered("card{n} at {nn}, render {n+128}, {other}", 7), "card7 at 07, render 135, {other}");
  EXPECT_EQ(numbered("plain {n", 7), "plain {n");
}

TEST(RecipeTests, AreReadStrictly) {
  EXPECT_FALSE(parse_recipe_tests("tests: {node: {}, cases: [{request: {}, give: [a]}]}\n", "f.yaml"));
  EXPECT_FALSE(parse_recipe_tests("tests: {node: {files: {../x: y}}, cases: []}\n", "f.yaml"));
  const auto tests =
      parse_recipe_tests("tests: {node: {repeat: 2}, cases: [{request: {env: {A: \"1\"}}}]}\n", "f");
  ASSERT_TRUE(tests) << tests.error().line();
  EXPECT_EQ(tests->node.repeat, 2U);
  EXPECT_EQ(tests->cases.front().request.env.at("A"), "1");
}

}  // namespace
}  // namespace hami::vendors
