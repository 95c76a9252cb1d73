// hamictl recipe: the example of the documentation, the table in it, and what a wrong recipe says.
#include "hamictl/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "hamictl/recipe_import.h"
#include "oci-config/base/files.h"
#include "vendors/recipe_yaml.h"

namespace hami::hamictl {
namespace {

using testing::HasSubstr;

const std::string kSource = HAMI_SOURCE_DIR;

std::string text_of(const std::string& path) {
  return files::read(path, 1U << 20U).value_or("cannot be read");
}

// A directory of recipes that only root (or we) can change, whatever the checkout's modes are.
class Recipes : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "recipes-XXXXXX";
    dir_ = ::mkdtemp(name.data());
    request_.directories = {dir_};
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(files::write_atomic(dir_ + "/" + name, text, 0644));
  }
  void write_shipped() const {
    for (const auto& entry : std::filesystem::directory_iterator(kSource + "/vendors")) {
      if (entry.path().extension() == ".yaml") write(entry.path().filename(), text_of(entry.path()));
    }
  }

  std::string dir_;
  RecipeRequest request_;
};

TEST_F(Recipes, TheTableInTheDocumentationIsWhatTheRecipesSay) {
  write_shipped();
  const auto table = recipe_table(request_);
  ASSERT_TRUE(table) << table.error().line();
  EXPECT_THAT(text_of(kSource + "/docs/vendors.md"), HasSubstr(*table));
}

TEST_F(Recipes, TheWalkThroughShowsTheExample) {
  const std::string page = text_of(kSource + "/docs/adding-a-device.md");
  const auto start = page.find("```yaml\n") + 8;
  const std::string shown = page.substr(start, page.find("```", start) - start);
  const auto in_page = vendors::parse_recipe(shown, "page");
  const auto example = vendors::parse_recipe(text_of(kSource + "/docs/examples/kvm.yaml"), "example");
  ASSERT_TRUE(in_page) << in_page.error().line();
  ASSERT_TRUE(example) << example.error().line();
  EXPECT_EQ(*in_page, *example);
}

TEST_F(Recipes, TheExampleHolds) {
  const auto report = test_recipe(kSource + "/docs/examples/kvm.yaml", request_);
  if (!report && report.error().code == Errc::denied) GTEST_SKIP() << report.error().line();
  ASSERT_TRUE(report) << report.error().line();
  EXPECT_THAT(*report, HasSubstr("4 of 4 cases hold"));
}

TEST_F(Recipes, ACaseThatDoesNotHoldShowsWhatIsGiven) {
  std::string text = text_of(kSource + "/docs/examples/kvm.yaml");
  const std::string right = "device /dev/kvm 10:232 rw";
  text.replace(text.find(right), right.size(), "device /dev/kvm 10:232 rwm");
  write("kvm.yaml", text);
  const auto report = test_recipe(dir_ + "/kvm.yaml", request_);
  ASSERT_FALSE(report);
  if (report.error().code == Errc::denied) GTEST_SKIP() << report.error().line();
  EXPECT_THAT(report.error().message,
              HasSubstr("FAILED  by annotation: no line is 'device /dev/kvm 10:232 rwm'"));
  EXPECT_THAT(report.error().message, HasSubstr("    device /dev/kvm 10:232 rw\n"));
}

TEST_F(Recipes, AnOverlayIsCheckedOverItsRecipe) {
  write_shipped();
  const std::string overlay = dir_ + "/overlay.txt";
  ASSERT_TRUE(
      files::write_atomic(overlay,
                          "apiVersion: hami.io/recipe/v1\nkind: Overlay\nextends: cambricon\ndevices:\n"
                          "  fields:\n    memory: {type: number, from: {value: \"51539607552\"}}\n",
                          0644));
  const auto report = check_recipe(overlay, request_);
  ASSERT_TRUE(report) << report.error().line();
  EXPECT_THAT(*report, HasSubstr("recipe cambricon for cambricon.com/mlu"));
}

TEST_F(Recipes, ShowsWhereFactsComeFromAndNamesTheOthers) {
  write_shipped();
  EXPECT_THAT(show_recipe("ascend", request_).value_or(""),
              testing::AllOf(HasSubstr("ASCEND_VISIBLE_DEVICES"), HasSubstr("vir05_1c_16g=16384MiB on 910B3"),
                             HasSubstr("whole           source")));
  const auto missing = show_recipe("acend", request_);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().line(), HasSubstr("amd, ascend, biren"));
}

TEST_F(Recipes, AFileOthersCanChangeIsNotLoaded) {
  write("kvm.yaml", text_of(kSource + "/docs/examples/kvm.yaml"));
  ASSERT_EQ(::chmod((dir_ + "/kvm.yaml").c_str(), 0666), 0);
  const auto table = recipe_table(request_);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::denied);
}

TEST_F(Recipes, RecipesThatExtendEachOtherAreAnError) {
  const std::string head = "apiVersion: hami.io/recipe/v1\nkind: Recipe\n";
  write("a.yaml", head + "extends: b\nmetadata: {name: a}\n");
  write("b.yaml", head + "extends: a\nmetadata: {name: b}\n");
  const auto table = recipe_table(request_);
  ASSERT_FALSE(table);
  EXPECT_THAT(table.error().line(), HasSubstr("in a circle"));
}

constexpr std::string_view kDefinitions = R"(apiVersion: v1
kind: ConfigMap
data:
  key: example.com/card
  dataType: integer
  defaultValue: "1"
  group: example
  limits: optional
  requests: disabled
  descriptionEn: number of cards
  resourceUnit: count
---
apiVersion: v1
kind: ConfigMap
data: {key: example.com/cardmem, dataType: integer, resourceUnit: Mi}
---
apiVersion: v1
kind: ConfigMap
data: {key: example.com/cardcores, dataType: integer, resourceUnit: "%"}
)";

TEST(RecipeImport, MakesAnOverlayOfTheResourcesOfAPlatform) {
  const auto overlay = import_resources(kDefinitions, "a.yaml", "card");
  ASSERT_TRUE(overlay) << overlay.error().line();
  EXPECT_EQ(*overlay, R"(apiVersion: hami.io/recipe/v1
kind: Overlay
extends: card
resources:
  # number of cards; default 1
  count: example.com/card
  memory: {name: example.com/cardmem, unit: MiB}
  cores: {name: example.com/cardcores, whole: 100}
)");
}

TEST(RecipeImport, NoDescriptionLeavesItsComment) {
  const auto with = [](const std::string& line_break) {
    return import_resources("data: {key: a.b/x, descriptionEn: \"a" + line_break + "extends: b\"}\n", "a",
                            "card");
  };
  for (const char* refused : {"\\n", "\\r"}) EXPECT_FALSE(with(refused)) << refused;
  for (const char* blank : {"\\N", "\\L", "\\P"})
    EXPECT_NE(with(blank).value_or("").find("\n  # a extends: b\n"), std::string::npos) << blank;
}

TEST(RecipeImport, RefusesWhatIsNoWholeNumberOrHasNoName) {
  EXPECT_FALSE(import_resources("data: {key: example.com/card, dataType: string}\n", "a", "card"));
  EXPECT_FALSE(import_resources("data: {dataType: integer}\n", "a", "card"));
  for (const char* key :
       {"card", "/card", "a.b/", "a.b/c/d", "\"a.b/x\\ndevices: []\"", "\"a.b/{x: y\"", "a.b/x y"})
    EXPECT_FALSE(import_resources(std::string("data: {key: ") + key + "}\n", "a", "card")) << key;
  EXPECT_FALSE(import_resources("", "a", "card"));
  EXPECT_FALSE(import_resources("data: {key: a.b/x}\n---\ndata: {key: a.b/y}\n", "a", "card"));
}

}  // namespace
}  // namespace hami::hamictl
