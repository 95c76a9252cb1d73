#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "vendors/recipe_yaml.h"

namespace hami::vendors {
namespace {

using testing::HasSubstr;

// A directory of recipe files.
class RecipeLoad : public testing::Test {
 protected:
  RecipeLoad() {
    std::string name = testing::TempDir() + "recipes-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  ~RecipeLoad() override { std::filesystem::remove_all(dir_); }

  void write(const std::string& name, std::string_view head, std::string_view more = "") {
    std::ofstream(dir_ + "/" + name) << "apiVersion: hami.io/recipe/v1\n" << head << more;
    std::filesystem::permissions(dir_ + "/" + name, std::filesystem::perms(0644));
  }
  void write_card(const std::string& file, const std::string& name, std::string_view more = "") {
    write(file,
          "kind: Recipe\nmetadata: {name: " + name + ", vendor: e.com, class: card}\n" +
              "devices: {each: {path: \"${root.dev}/dev/card*\", field: n, type: number}, key: n}\n",
          more);
  }
  Result<std::vector<Recipe>> load() { return load_recipes({dir_}); }
  std::string error() {
    const auto recipes = load();
    return recipes ? "no error" : recipes.error().line();
  }

  std::string dir_;
};

TEST_F(RecipeLoad, AMissingDirectoryIsEmpty) {
  const auto recipes = load_recipes({dir_ + "/none"});
  ASSERT_TRUE(recipes);
  EXPECT_TRUE(recipes->empty());
}

TEST_F(RecipeLoad, GivesRecipesInTheOrderOfTheirFiles) {
  write_card("20-b.yaml", "b");
  write_card("10-z.yaml", "z");
  write_card("note.txt", "x");

  const auto recipes = load();

  ASSERT_TRUE(recipes) << recipes.error().line();
  ASSERT_EQ(recipes->size(), 2U);
  EXPECT_EQ((*recipes)[0].metadata.name, "z");
  EXPECT_EQ((*recipes)[1].metadata.name, "b");
}

TEST_F(RecipeLoad, AnOverlayReplacesAndAppendsBlocksAndChangesValues) {
  write_card("card.yaml", "card",
             "request: {max: 8, env: CARD_VISIBLE}\ninject:\n  - {id: a, env: {name: A, value: one}}\n  - "
             "{id: b, env: {name: B, value: one}}\n");
  write("site.yaml",
        "kind: Overlay\nextends: card\nrequest: {max: 4}\ninject:\n  - {id: b, env: {name: B, value: two}}\n "
        " - {id: c, env: {name: C, value: two}}\n");

  const auto recipes = load();

  ASSERT_TRUE(recipes) << recipes.error().line();
  ASSERT_EQ(recipes->size(), 1U);
  const auto& card = recipes->front();
  EXPECT_EQ(card.metadata.name, "card");
  EXPECT_EQ(card.request.max, 4U);
  EXPECT_EQ(card.request.env, std::vector<std::string>{"CARD_VISIBLE"});
  ASSERT_EQ(card.inject.size(), 3U);
  EXPECT_EQ(card.inject[0].env[0].value, "one");
  EXPECT_EQ(card.inject[1].env[0].value, "two");
  EXPECT_EQ(card.inject[2].id, "c");
}

TEST_F(RecipeLoad, AnOverlayMayComeBeforeItsRecipeAndExtendAnother) {
  write("10-last.yaml", "kind: Overlay\nmetadata: {name: last}\nextends: first\nrequest: {max: 2}\n");
  write("20-first.yaml",
        "kind: Overlay\nmetadata: {name: first}\nextends: card\nrequest: {max: 3, unset: all}\n");
  write_card("30-card.yaml", "card", "request: {max: 8}\n");

  const auto recipes = load();

  ASSERT_TRUE(recipes) << recipes.error().line();
  EXPECT_EQ(recipes->front().request.max, 2U);
  EXPECT_EQ(recipes->front().request.unset, Unset::all);
}

TEST_F(RecipeLoad, ARecipeMayStartFromAnother) {
  write_card("10-card.yaml", "card", "request: {max: 8, env: CARD}\n");
  write("20-more.yaml",
        "kind: Recipe\nextends: card\nmetadata: {name: more, revision: 2}\nrequest: {max: 1}\n");

  const auto recipes = load();

  ASSERT_TRUE(recipes) << recipes.error().line();
  ASSERT_EQ(recipes->size(), 2U);
  EXPECT_EQ((*recipes)[0].request.max, 8U);
  EXPECT_EQ((*recipes)[1].metadata.name, "more");
  EXPECT_EQ((*recipes)[1].metadata.vendor, "e.com");
  EXPECT_EQ((*recipes)[1].request.max, 1U);
  EXPECT_EQ((*recipes)[1].request.env, std::vector<std::string>{"CARD"});
}

TEST_F(RecipeLoad, RefusesACircleAndAnUnknownBase) {
  write("a.yaml", "kind: Overlay\nmetadata: {name: a}\nextends: b\n");
  write("b.yaml", "kind: Overlay\nmetadata: {name: b}\nextends: a\n");
  EXPECT_THAT(error(), HasSubstr("circle"));

  write("a.yaml", "kind: Recipe\nmetadata: {name: a}\nextends: a\n");
  EXPECT_THAT(error(), HasSubstr("a.yaml:4:10: extends: the recipes extend each other in a circle"));

  write("a.yaml", "kind: Overlay\nextends: nobody\n");
  write("b.yaml", "kind: Overlay\nextends: nobody\n");
  EXPECT_THAT(error(), HasSubstr("a.yaml:3:10: extends 'nobody': there is no such recipe"));
}

TEST_F(RecipeLoad, RefusesTwoRecipesOfOneName) {
  write_card("a.yaml", "card");
  write_card("b.yaml", "card");
  EXPECT_THAT(error(), HasSubstr("already taken by"));
}

TEST_F(RecipeLoad, RefusesAFileOrDirectoryOthersCanChange) {
  write_card("card.yaml", "card");
  std::filesystem::permissions(dir_ + "/card.yaml", std::filesystem::perms(0666));
  EXPECT_THAT(error(), HasSubstr("writable by group or others"));

  std::filesystem::permissions(dir_ + "/card.yaml", std::filesystem::perms(0644));
  std::filesystem::permissions(dir_, std::filesystem::perms(0777));
  EXPECT_THAT(error(), HasSubstr("others than root can change it"));
}

TEST_F(RecipeLoad, RefusesAFileOfSomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "files cannot be given away here (needs root)";
  write_card("card.yaml", "card");
  ASSERT_TRUE(load());
  ASSERT_EQ(::chown((dir_ + "/card.yaml").c_str(), 65534, 0), 0);
  EXPECT_THAT(error(), HasSubstr("card.yaml"));
  EXPECT_FALSE(load());
}

TEST_F(RecipeLoad, RefusesASymbolicLink) {
  write_card("card.txt", "card");
  std::filesystem::create_symlink("card.txt", dir_ + "/card.yaml");
  EXPECT_FALSE(load());
}

TEST_F(RecipeLoad, AnErrorInAnOverlayNamesTheOverlaysFile) {
  write_card("card.yaml", "card");
  write("site.yaml", "kind: Overlay\nextends: card\ninject:\n  - {id: x, when: cap(none)}\n");
  EXPECT_THAT(error(), HasSubstr("site.yaml:5:23: unknown capability 'none'"));
}

}  // namespace
}  // namespace hami::vendors
