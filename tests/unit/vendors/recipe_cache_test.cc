// The kept copy of the recipes: the same recipes, and only as long as the files are the same.
#include "vendors/recipe_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>

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
    const auto kept = KeptRecipes::load({node_.path("recipes")}, cache());
    return kept && !kept->all().empty() ? kept->all().front().metadata.name
           : kept                       ? "none"
                                        : kept.error().line();
  }
  // As if the file had been written long ago. Its time of change cannot be set, so the clock has to pass.
  void settle() { std::this_thread::sleep_for(std::chrono::seconds(3)); }
  [[nodiscard]] std::string cache() const { return node_.path("state/recipes.cache"); }

  FakeNode node_;
};

TEST(RecipeCache, GivesEveryShippedRecipeBackAsItWas) {
  const auto recipes = shipped();
  ASSERT_GT(recipes.size(), 15U);
  auto back = KeptRecipes::unpack(KeptRecipes::pack(recipes, "stamp"), "stamp");
  ASSERT_TRUE(back) << back.error().line();
  ASSERT_TRUE(back->complete_all());
  EXPECT_EQ(back->all(), recipes);
}

TEST(RecipeCache, ReadsWhatContainersAskForFirstAndTheRestOfARecipeWhenItIsNeeded) {
  const auto recipes = shipped();
  auto back = KeptRecipes::unpack(KeptRecipes::pack(recipes, "stamp"), "stamp");
  ASSERT_TRUE(back) << back.error().line();
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    EXPECT_EQ(back->all()[i].resources, recipes[i].resources);
    EXPECT_EQ(back->all()[i].request, recipes[i].request);
    EXPECT_TRUE(back->all()[i].inject.empty());
  }
  const auto whole = back->complete("nvidia");
  ASSERT_TRUE(whole) << whole.error().line();
  ASSERT_NE(*whole, nullptr);
  const auto same = [&](const Recipe& recipe) { return recipe == **whole; };
  EXPECT_TRUE(std::any_of(recipes.begin(), recipes.end(), same));
  EXPECT_TRUE(back->all().front().inject.empty());  // another one's is still unread
  EXPECT_EQ(*back->complete("nobody"), nullptr);
}

TEST(RecipeCache, RefusesBytesOfOtherFilesAndDamagedOnes) {
  const std::string bytes = KeptRecipes::pack(shipped(), "stamp");
  EXPECT_FALSE(KeptRecipes::unpack(bytes, "another stamp"));
  EXPECT_FALSE(KeptRecipes::unpack("", "stamp"));
  EXPECT_FALSE(KeptRecipes::unpack(bytes + "x", "stamp"));
  for (std::size_t length = 0; length < bytes.size(); length += 97)
    EXPECT_FALSE(KeptRecipes::unpack(bytes.substr(0, length), "stamp")) << length;
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

// The parts of a recipe that nobody read may be damaged too.
class DamagedRest : public Kept {
 protected:
  // What was kept, with the end of the last recipe's rest damaged.
  [[nodiscard]] Result<KeptRecipes> load() {
    EXPECT_TRUE(files::make_dirs(node_.path("state"), 0700));
    settle();
    EXPECT_TRUE(KeptRecipes::load({node_.path("recipes")}, cache()));
    auto bytes = files::read(cache(), 1U << 20U).value_or(std::string(8, ' '));
    for (std::size_t i = bytes.size() - 8; i < bytes.size(); ++i) bytes[i] = '\xff';
    EXPECT_TRUE(files::write_atomic(cache(), bytes, 0600));
    return KeptRecipes::load({node_.path("recipes")}, cache());
  }
};

TEST_F(DamagedRest, IsReadFromTheFiles) {
  const auto written = load_recipes({node_.path("recipes")});
  ASSERT_TRUE(written) << written.error().line();
  auto kept = load();
  ASSERT_TRUE(kept) << kept.error().line();
  EXPECT_TRUE(kept->all().front().devices.each.empty());
  const auto whole = kept->complete("one");
  ASSERT_TRUE(whole) << whole.error().line();
  EXPECT_EQ(**whole, written->front());
}

TEST_F(DamagedRest, BringsNoRecipeBackThatIsForAnotherPlatform) {
  node_.write("recipes/0.yaml",
              "apiVersion: hami.io/recipe/v1\nkind: Recipe\n"
              "metadata: {name: other, vendor: a.com, class: b, insteadOf: one}\n"
              "detect: {path: \"${root.dev}/dev/other\"}\n"
              "devices:\n  each: {path: \"${root.dev}/dev/b\", field: name, type: text}\n");
  auto kept = load();
  ASSERT_TRUE(kept) << kept.error().line();
  ASSERT_EQ(kept->all().size(), 2U);
  kept->choose_platform(node_.roots());
  const auto whole = kept->complete("one");
  ASSERT_TRUE(whole) << whole.error().line();
  EXPECT_FALSE((*whole)->devices.each.empty());
  EXPECT_EQ(kept->all().size(), 1U);
}

TEST_F(Kept, AFileOfSomebodyElseIsNoCache) {
  ASSERT_TRUE(files::make_dirs(node_.path("state"), 0700));
  ASSERT_TRUE(files::write_atomic(cache(), KeptRecipes::pack({}, "x"), 0666));
  ::chmod(cache().c_str(), 0666);
  EXPECT_EQ(first_name(), "one");
}

}  // namespace
}  // namespace hami::vendors
