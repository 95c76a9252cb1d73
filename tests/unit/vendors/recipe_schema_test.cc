// The schema for editors and the loader know the same keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/recipe_yaml.h"
#include "vendors/yaml_tree.h"

namespace hami::vendors {
namespace {

using Kind = yaml::Node::Kind;

yaml::Node parsed(const std::string& path) {
  auto tree = yaml::parse(files::read(path, yaml::kMaxBytes).value_or(""), path);
  EXPECT_TRUE(tree) << (tree ? "" : tree.error().line());
  return tree.value_or(yaml::Node{});
}

class Schema {
 public:
  Schema() : root_(parsed(HAMI_VENDORS_DIR "/recipe.schema.json")) {}

  [[nodiscard]] const yaml::Node& root() const { return root_; }

  [[nodiscard]] const yaml::Node& resolved(const yaml::Node& schema) const {
    const auto* reference = schema.find("$ref");
    if (reference == nullptr) return schema;
    const auto* definition =
        root_.find("$defs")->find(reference->text.substr(std::string("#/$defs/").size()));
    EXPECT_NE(definition, nullptr) << reference->text;
    return definition == nullptr ? schema : *definition;
  }

  // What in `value` the schema does not have; empty when it is all there.
  [[nodiscard]] std::string problem(const yaml::Node& value, const yaml::Node& unresolved) const {
    const auto& schema = resolved(unresolved);
    if (const auto* choices = schema.find("anyOf"); choices != nullptr) {
      std::string last;
      for (const auto& choice : choices->children) {
        last = problem(value, choice);
        if (last.empty()) return {};
      }
      return last;
    }
    if (const auto* words = schema.find("enum"); words != nullptr) return word_problem(value, *words);
    const auto* type = schema.find("type");
    const std::string wanted = type == nullptr ? "" : type->text;
    if (value.kind == Kind::list) return list_problem(value, schema, wanted);
    if (value.kind == Kind::map) return map_problem(value, schema, wanted);
    return wanted == "object" || wanted == "array" ? at(value) + "a text, wanted " + wanted : "";
  }

 private:
  static std::string at(const yaml::Node& value) {
    return text::cat({"line ", text::number(value.at.line), ": "});
  }

  static std::string word_problem(const yaml::Node& value, const yaml::Node& words) {
    for (const auto& word : words.children) {
      if (value.kind == Kind::scalar && word.text == value.text) return {};
    }
    return at(value) + "unknown word " + value.text;
  }

  [[nodiscard]] std::string list_problem(const yaml::Node& value, const yaml::Node& schema,
                                         const std::string& wanted) const {
    if (wanted != "array") return at(value) + "a list, wanted " + wanted;
    for (const auto& item : value.children) {
      if (auto found = problem(item, *schema.find("items")); !found.empty()) return found;
    }
    return {};
  }

  [[nodiscard]] std::string map_problem(const yaml::Node& value, const yaml::Node& schema,
                                        const std::string& wanted) const {
    if (wanted != "object") return at(value) + "a map, wanted " + wanted;
    const auto* properties = schema.find("properties");
    for (std::size_t i = 0; i < value.keys.size(); ++i) {
      const auto* member = properties == nullptr ? nullptr : properties->find(value.keys[i].text);
      const auto* other = schema.find("additionalProperties");
      if (member == nullptr && other != nullptr && other->kind == Kind::map) member = other;
      if (member == nullptr) return at(value) + "unknown key " + value.keys[i].text;
      if (auto found = problem(value.children[i], *member); !found.empty()) return found;
    }
    return {};
  }

  yaml::Node root_;
};

// Every key of the schema at its place in a recipe, with a value that no key has.
void each_key(const Schema& schema, const yaml::Node& unresolved, const std::string& before,
              const std::string& after, int depth,
              const std::function<void(std::string, std::string)>& take) {
  const auto& here = schema.resolved(unresolved);
  if (depth > 5) return;
  if (const auto* choices = here.find("anyOf"); choices != nullptr)
    return each_key(schema, choices->children.front(), before, after, depth, take);
  if (const auto* items = here.find("items"); items != nullptr)
    return each_key(schema, *items, before + "[", "]" + after, depth + 1, take);
  const auto* properties = here.find("properties");
  if (properties == nullptr) return;
  for (std::size_t i = 0; i < properties->keys.size(); ++i) {
    const std::string& key = properties->keys[i].text;
    take(key, before + "{" + key + ": {zz: 1}}" + after);
    each_key(schema, properties->children[i], before + "{" + key + ": ", "}" + after, depth + 1, take);
  }
}

TEST(RecipeSchema, HasEveryKeyOfTheShippedRecipes) {
  const Schema schema;
  for (const auto& entry : std::filesystem::directory_iterator(HAMI_VENDORS_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto recipe = parsed(entry.path());
    EXPECT_EQ(schema.problem(recipe, schema.root()), "") << entry.path();
  }
}

TEST(RecipeSchema, RefusesAMisspeltKey) {
  const Schema schema;
  const auto recipe =
      yaml::parse("apiVersion: hami.io/recipe/v1\nkind: Recipe\nslice: {mechanisme: none}\n", "a");
  ASSERT_TRUE(recipe);
  EXPECT_EQ(schema.problem(*recipe, schema.root()), "line 3: unknown key mechanisme");
}

TEST(RecipeSchema, HasNoKeyThatTheLoaderDoesNotKnow) {
  const Schema schema;
  int keys = 0;
  const auto* sections = schema.root().find("properties");
  ASSERT_NE(sections, nullptr);
  for (std::size_t i = 0; i < sections->keys.size(); ++i) {
    const std::string& section = sections->keys[i].text;
    if (section == "tests" || section == "metadata" || section == "devices") continue;
    each_key(
        schema, sections->children[i], section + ": ", "\n", 0,
        [&](const std::string& key, const std::string& text) {
          ++keys;
          const auto recipe = parse_recipe(
              "apiVersion: hami.io/recipe/v1\nkind: Recipe\nmetadata: {name: a, vendor: b.com, class: c}\n"
              "devices: {each: {path: \"${root.dev}/dev/a*\", field: a, type: number}, key: a}\n" +
                  text,
              "a");
          const std::string said = recipe ? "" : recipe.error().line();
          EXPECT_EQ(said.find("unknown key '" + key + "'"), std::string::npos) << text << said;
        });
  }
  EXPECT_GT(keys, 60);
}

}  // namespace
}  // namespace hami::vendors
