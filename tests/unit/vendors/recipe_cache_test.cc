// The kept copy of the recipes: the same recipes, and only as long as the files are the same.
#include "vendors/recipe_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include "tests/unit/vendors/fake_node.h"

namespace hami::vendors {
namespace {

std::vector<Recipe> shipped() {
  FakeNode directory;
  std::vector<Recipe> recipes;
  for (const auto& entry : std::filesystem::directory_iterator(HAMI_VENDORS_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto yaml = files::read(entry.path(), 1U << 20U);
    auto recipe = parse_recipe(yaml.value_or(""), entry.path().string());
    EXPECT_TRUE(recipe) << (recipe ? "" : recipe.error().line());
    if (recipe) recipes.push_back(std::move(*recipe));
  }
  return recipes;
}

// A directory with one recipe, changed long enough ago to be kept.
class Kept : public testing::Test {
 protected:
  void SetUp() override {
    ::chmod(node_.dir().c_str(), 0755);
    write("one");
  }
  void write(const std::string& name) {
    node_.write("recipes/a.yaml",
                "apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: " + name +
                    ", vendor: a.com, class: b}\ndevices:\n  each: {path: \"${root.dev}/dev/a\","
                    " field: name, type: text}\n");
  }
  [[nodiscard]] std::string first_name() {
    const auto recipes = load_recipes_cached({node_.path("recipes")}, cache());
    return recipes && !recipes->empty() ? recipes->front().metadata.name
           : recipes                    ? "none"
                                        : recipes.error().line();
  }
  [[nodiscard]] std::string cache() const { return node_.path("state/recipes.cache"); }

  FakeNode node_;
};

TEST(RecipeCache, GivesEveryShippedRecipeBackAsItWas) {
  const auto recipes = shipped();
  ASSERT_GT(recipes.size(), 15U);
  const auto back = unpack_recipes(pack_recipes(recipes, "stamp"), "stamp");
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(*back, recipes);
}

TEST(RecipeCache, RefusesBytesOfOtherFilesAndDamagedOnes) {
  const std::string bytes = pack_recipes(shipped(), "stamp");
  EXPECT_FALSE(unpack_recipes(bytes, "another stamp"));
  EXPECT_FALSE(unpack_recipes("", "stamp"));
  EXPECT_FALSE(unpack_recipes(bytes + "x", "stamp"));
  for (std::size_t length = 0; length < bytes.size(); length += 97)
    EXPECT_FALSE(unpack_recipes(bytes.substr(0, length), "stamp")) << length;
}

TEST(RecipeCache, IsReadMuchFasterThanTheFiles) {
  const std::string bytes = pack_recipes(shipped(), "stamp");
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(unpack_recipes(bytes, "stamp"));
  const auto per_read = (std::chrono::steady_clock::now() - start) / 20;
  RecordProperty("microseconds", std::to_string(per_read.count() / 1000));
  EXPECT_LT(per_read, std::chrono::milliseconds(50));  // a debug build on a busy machine
}

TEST_F(Kept, AFileThatWasJustChangedIsNotKept) {
  EXPECT_EQ(first_name(), "one");
  EXPECT_FALSE(std::filesystem::exists(cache()));
}

TEST_F(Kept, AChangedFileIsReadAgain) {
  ASSERT_TRUE(files::make_dirs(node_.path("state"), 0700));
  ASSERT_TRUE(files::write_atomic(cache(), "damaged", 0600));
  EXPECT_EQ(first_name(), "one");
  write("two");
  EXPECT_EQ(first_name(), "two");
}

TEST_F(Kept, AFileOfSomebodyElseIsNoCache) {
  ASSERT_TRUE(files::make_dirs(node_.path("state"), 0700));
  ASSERT_TRUE(files::write_atomic(cache(), pack_recipes({}, "x"), 0666));
  ::chmod(cache().c_str(), 0666);
  EXPECT_EQ(first_name(), "one");
}

}  // namespace
}  // namespace hami::vendors
