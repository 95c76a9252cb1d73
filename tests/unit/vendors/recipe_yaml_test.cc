#include "vendors/recipe_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hami::vendors {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Nine lines; tests add theirs from line 10 on.
constexpr std::string_view kBase = R"(apiVersion: hami.io/recipe/v1
kind: Recipe
metadata: {name: card, vendor: example.com, class: card}
capabilities: {tokens: [compute, video], default: [compute]}
gates: {extra: {env: CARD_EXTRA, values: [on]}}
devices:
  each: {path: "${root.dev}/dev/card*", field: minor, type: number}
  fields: {title: {type: text, from: {file: "${root.sys}/x/${dev.minor}"}}}
  key: minor
)";

Result<Recipe> parse(std::string_view more) {
  return parse_recipe(std::string(kBase) + std::string(more), "f.yaml");
}

std::string error_line(std::string_view more) {
  const auto recipe = parse(more);
  if (recipe) return "no error";
  EXPECT_EQ(recipe.error().code, Errc::invalid_config);
  return recipe.error().line();
}

std::string whole_file_error(std::string_view yaml) {
  const auto recipe = parse_recipe(yaml, "f.yaml");
  return recipe ? "no error" : recipe.error().line();
}

TEST(RecipeYaml, ReadsASmallRecipe) {
  const auto recipe = parse(R"(inject:
  - id: node
    for: device
    when: cap(compute) && has(dev.minor)
    deviceNode: {path: "/dev/card${dev.minor}", access: rwm, required: true, verify: {driver: card}}
    env:
      - {name: "CARD_${dev.ordinal}", value: "${dev.title}"}
)");
  ASSERT_TRUE(recipe) << recipe.error().line();

  EXPECT_EQ(recipe->metadata.name, "card");
  ASSERT_EQ(recipe->inject.size(), 1U);
  const auto& block = recipe->inject[0];
  EXPECT_EQ(block.for_each, ForEach::device);
  EXPECT_EQ(block.when.text, "cap(compute) && has(dev.minor)");
  ASSERT_EQ(block.device_nodes.size(), 1U);
  EXPECT_EQ(block.device_nodes[0].path, "/dev/card${dev.minor}");
  EXPECT_TRUE(block.device_nodes[0].required);
  ASSERT_EQ(block.env.size(), 1U);
  EXPECT_EQ(recipe->block("node"), &block);
  EXPECT_EQ(recipe->block("other"), nullptr);
}

TEST(RecipeYaml, NamesAnUnknownKeyAndTheNearestKnownOne) {
  EXPECT_EQ(error_line("inject:\n  - id: a\n    deviceNod: []\n"),
            "f.yaml:12:5: unknown key 'deviceNod'; did you mean 'deviceNode'");
  EXPECT_EQ(error_line("injects: []\n"), "f.yaml:10:1: unknown key 'injects'; did you mean 'inject'");
}

TEST(RecipeYaml, NamesAnUnknownWordAndTheKnownOnes) {
  EXPECT_EQ(error_line("inject:\n  - id: a\n    for: devcie\n"),
            "f.yaml:12:10: unknown value 'devcie'; did you mean 'device'");
  EXPECT_THAT(error_line("request: {unset: zzzzzzzz}\n"), HasSubstr("known: noop, all, error"));
}

TEST(RecipeYaml, RefusesWrongTypes) {
  EXPECT_THAT(error_line("inject: {}\n"), StartsWith("f.yaml:10:9: expected a list"));
  EXPECT_THAT(error_line("inject:\n  - [a]\n"), StartsWith("f.yaml:11:5: expected a map, got a list"));
  EXPECT_THAT(error_line("inject:\n  - id: {a: b}\n"), StartsWith("f.yaml:11:9: expected a text, got a map"));
  EXPECT_THAT(error_line("inject:\n  - id: true\n"), StartsWith("f.yaml:11:9: expected a text, got true"));
  EXPECT_THAT(error_line("inject:\n  - id:\n"), HasSubstr("expected a text, got nothing"));
  EXPECT_THAT(error_line("request: {max: \"5\"}\n"), StartsWith("f.yaml:10:16: expected a whole number"));
  EXPECT_THAT(error_line("request: {max: -5}\n"), HasSubstr("expected a whole number"));
  EXPECT_THAT(error_line("request: {max: 99999999999999999999}\n"), HasSubstr("expected a whole number"));
  EXPECT_THAT(error_line("request: {max: 5000}\n"), HasSubstr("must not be above 1024"));
  EXPECT_THAT(error_line("updateLdcache: yes\n"), StartsWith("f.yaml:10:16: expected true or false"));
}

TEST(RecipeYaml, RefusesEverythingThatRefersToSomethingElse) {
  EXPECT_THAT(error_line("neutralize: &a {}\n"), HasSubstr("anchors are not allowed: '&a'"));
  EXPECT_THAT(error_line("neutralize: *a\n"), HasSubstr("aliases are not allowed"));
  EXPECT_THAT(error_line("neutralize: !!map {}\n"), HasSubstr("tags are not allowed"));
  EXPECT_THAT(error_line("neutralize: {<<: {}}\n"), StartsWith("f.yaml:10:14: merge keys are not allowed"));
  EXPECT_THAT(error_line("---\na: b\n"), HasSubstr("second document"));
  EXPECT_THAT(whole_file_error("%YAML 1.1\n---\na: b\n"), HasSubstr("directives are not allowed"));
}

TEST(RecipeYaml, RefusesDuplicates) {
  EXPECT_EQ(error_line("request: {max: 1, max: 2}\n"), "f.yaml:10:19: the key 'max' is there twice");
  EXPECT_THAT(error_line("inject: [{id: a}, {id: a}]\n"),
              StartsWith("f.yaml:10:19: the block 'a' is there twice"));
}

TEST(RecipeYaml, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_THAT(whole_file_error(std::string(2U << 20U, '#')), HasSubstr("larger than 1 MiB"));
  EXPECT_THAT(error_line("x: " + std::string(100, '[') + std::string(100, ']') + "\n"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(error_line("x: " + std::string(10'000, 'a') + "\n"), HasSubstr("too long"));
  std::string many = "x: [a";
  for (int i = 0; i < 60'000; ++i) many += ",a";
  EXPECT_THAT(error_line(many + "]\n"), HasSubstr("too many values"));
  std::string keys;
  for (int i = 0; i < 600; ++i) keys += "k" + std::to_string(i) + ": a\n";
  EXPECT_THAT(error_line(keys), HasSubstr("too many keys"));
}

TEST(RecipeYaml, NamesThePlaceOfASyntaxError) {
  EXPECT_THAT(whole_file_error("a: [b\nc: d\n"), StartsWith("f.yaml:2:"));
  EXPECT_THAT(whole_file_error(""), HasSubstr("the file is empty"));
  EXPECT_THAT(whole_file_error("- a\n"), HasSubstr("expected a map at the top"));
  EXPECT_THAT(whole_file_error("a: \"\\0\"\n"), HasSubstr("control characters"));
  EXPECT_THAT(whole_file_error("a: \xff\n"), StartsWith("f.yaml:"));
}

TEST(RecipeYaml, NamesThePlaceInsideACondition) {
  EXPECT_EQ(error_line("inject:\n  - id: a\n    when: cap(compute) &&\n"),
            "f.yaml:12:26: condition: expected a name, a number or quoted text");
  EXPECT_EQ(error_line("inject:\n  - id: a\n    when: \"true && cap(vidoe)\"\n"),
            "f.yaml:12:24: unknown capability 'vidoe'; did you mean 'video'");
  EXPECT_THAT(error_line("inject:\n  - {id: a, when: gate(nope)}\n"), HasSubstr("unknown gate 'nope'"));
  EXPECT_THAT(error_line("inject:\n  - {id: a, when: has(dev.minor)}\n"),
              HasSubstr("unknown variable 'dev.minor'"));
}

TEST(RecipeYaml, RefusesVariablesThatAreUnknownOrOutOfPlace) {
  const auto mount = [](std::string_view host) {
    return error_line("inject:\n  - id: a\n    for: device\n    mount: {host: \"" + std::string(host) +
                      "\"}\n");
  };

  EXPECT_EQ(mount("/opt/x/${dev.minr}"),
            "f.yaml:13:27: unknown variable 'dev.minr'; did you mean 'dev.minor'");
  EXPECT_THAT(mount("/opt/x/${env.HOME}"),
              HasSubstr("a container's variable must not become part of an edit"));
  EXPECT_THAT(mount("/opt/x/${dev.title}"), HasSubstr("free text must not become part of a path"));
  EXPECT_THAT(mount("/opt/${root.driver}"), HasSubstr("a root can only begin a path"));
  EXPECT_THAT(mount("/opt/$x"), HasSubstr("'$' must begin a variable"));
  EXPECT_EQ(mount("/opt/x/${dev.minor}"), "no error");
}

TEST(RecipeYaml, RefusesPathsThatOpenTheHost) {
  const auto mount = [](std::string_view host) {
    return error_line("inject:\n  - id: a\n    mount: {host: \"" + std::string(host) + "\", path: /opt/x}\n");
  };

  for (const auto* path :
       {"/", "/etc", "/root/.ssh", "/proc/1", "/run/containerd/containerd.sock", "/var/run/docker.sock",
        "/run/docker.sock", "/var/lib/kubelet/pods", "/etc/shadow"}) {
    EXPECT_THAT(mount(path), HasSubstr("must not be given to a container")) << path;
  }
  EXPECT_THAT(mount("/opt/../etc"), HasSubstr("must not have '.' or '..'"));
  EXPECT_THAT(mount("opt/x"), HasSubstr("must be absolute"));
  EXPECT_THAT(mount("/opt//x"), HasSubstr("empty component"));
}

TEST(RecipeYaml, RefusesDestinationsThatBelongToTheContainer) {
  const auto mount = [](std::string_view path) {
    return error_line("inject:\n  - id: a\n    mount: {host: /opt/x, path: \"" + std::string(path) + "\"}\n");
  };

  for (const auto* path :
       {"/", "/proc/driver", "/sys/x", "/dev", "/etc/passwd", "/etc/ld.so.preload", "/usr/local/vgpu/x"}) {
    EXPECT_THAT(mount(path), HasSubstr("must not be covered")) << path;
  }
}

TEST(RecipeYaml, RefusesNodesThatGiveTheWholeMachine) {
  const auto node = [](std::string_view path) {
    return error_line("inject:\n  - id: a\n    deviceNode: {path: \"" + std::string(path) +
                      "\", verify: {driver: x}}\n");
  };

  EXPECT_THAT(node("/dev/mem"), HasSubstr("must not be given"));
  EXPECT_THAT(node("/opt/card"), HasSubstr("must be below /dev"));
  EXPECT_EQ(node("/dev/card0"), "no error");
}

TEST(RecipeYaml, NeverSetsVariablesOfTheLoader) {
  EXPECT_THAT(error_line("inject:\n  - id: a\n    env: {name: LD_PRELOAD, value: x}\n"),
              HasSubstr("belongs to the loader"));
  EXPECT_THAT(error_line("neutralize: {env: {LD_LIBRARY_PATH: x}}\n"), HasSubstr("loader"));
}

TEST(RecipeYaml, NamesWhatIsMissing) {
  EXPECT_THAT(error_line("inject:\n  - {for: node}\n"), StartsWith("f.yaml:11:5: the key 'id' is missing"));
  EXPECT_THAT(whole_file_error("a: b\n"), HasSubstr("'apiVersion' is missing"));
  EXPECT_THAT(whole_file_error("apiVersion: v9\n"), HasSubstr("f.yaml:1:13: unknown apiVersion 'v9'"));
  EXPECT_THAT(whole_file_error("apiVersion: hami.io/recipe/v1\n"), HasSubstr("'kind' is missing"));
  EXPECT_THAT(whole_file_error("apiVersion: hami.io/recipe/v1\nkind: Recipe\n"), HasSubstr("needs a name"));
  EXPECT_THAT(whole_file_error("apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: a}\n"),
              HasSubstr("not complete"));
}

TEST(RecipeYaml, RefusesAFileWithoutBytes) {
  EXPECT_THAT(whole_file_error(std::string_view{}), HasSubstr("the file is empty"));
}

TEST(RecipeYaml, RefusesAnOverlayAlone) {
  EXPECT_THAT(whole_file_error("apiVersion: hami.io/recipe/v1\nkind: Overlay\nextends: nvidia\n"),
              HasSubstr("f.yaml:3:10: what it extends is not loaded"));
}

}  // namespace
}  // namespace hami::vendors
