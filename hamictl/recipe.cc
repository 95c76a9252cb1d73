#include "hamictl/recipe.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "hamictl/recipe_cases.h"
#include "hamictl/recipe_import.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/recipe_yaml.h"
#include "vendors/yaml_tree.h"

namespace hami::hamictl {

namespace {

struct Loaded {
  vendors::Recipe recipe;
  vendors::RecipeTests tests;
};

// The file's own directory counts too: recipes extend their neighbours.
Result<Loaded> load(const std::string& file, const RecipeRequest& request) {
  std::vector<std::string> directories = request.directories;
  std::error_code failure;
  const auto full = std::filesystem::absolute(file, failure);
  if (std::find(directories.begin(), directories.end(), full.parent_path().string()) == directories.end())
    directories.push_back(full.parent_path().string());
  Loaded loaded;
  HAMI_TRY(loaded.recipe, vendors::load_recipe_file(file, directories));
  HAMI_TRY(const auto yaml, files::read(file, vendors::yaml::kMaxBytes));
  HAMI_TRY(loaded.tests, vendors::parse_recipe_tests(yaml, file));
  return loaded;
}

// Runs one case and adds its line to the report.
struct Report {
  std::string text;
  std::size_t passed = 0;
  std::size_t failed = 0;

  void add(const std::string& name, const std::string& problem) {
    ++(problem.empty() ? passed : failed);
    text += text::cat(
        {problem.empty() ? "ok      " : "FAILED  ", name, problem.empty() ? "" : ": ", problem, "\n"});
  }
};

// "" when the file says what the answer says.
Result<std::string> compare(const std::string& path, const std::string& answer, bool update) {
  if (update) {
    HAMI_CHECK(files::write_atomic(path, answer, 0644));
    return std::string{};
  }
  HAMI_TRY(const auto expected, files::read(path, vendors::yaml::kMaxBytes));
  if (expected == answer) return std::string{};
  return text::cat({"differs from ", path, "; it gives:\n", answer});
}

Result<> run_golden(const Loaded& loaded, const RecipeNode& node, const RecipeRequest& request,
                    Report& report) {
  std::error_code failure;
  std::set<std::string> cases;
  for (const auto& entry : std::filesystem::directory_iterator(request.golden, failure))
    cases.insert(entry.path().string());
  if (cases.empty()) return fail(Errc::not_found, text::cat({"no case in ", text::quote(request.golden)}));
  for (const auto& directory : cases) {
    const std::string file = directory + "/case.yaml";
    HAMI_TRY(const auto yaml, files::read(file, vendors::yaml::kMaxBytes));
    HAMI_TRY(const auto test, vendors::parse_test_case(yaml, file));
    std::string answer;
    for (const auto& line : answer_to(loaded.recipe, node, test)) answer += line + "\n";
    HAMI_TRY(const auto problem, compare(directory + "/expected.txt", answer, request.update));
    report.add(std::string(files::base_name(directory)), problem);
  }
  return {};
}

std::string_view word(vendors::Certainty certainty) {
  switch (certainty) {
    case vendors::Certainty::source:
      return "source";
    case vendors::Certainty::reported:
      return "reported";
    case vendors::Certainty::inferred:
      return "inferred";
  }
  return {};
}

std::string_view word(vendors::SliceMechanism mechanism) {
  switch (mechanism) {
    case vendors::SliceMechanism::none:
      return "none";
    case vendors::SliceMechanism::preload:
      return "libvgpu in the container";
    case vendors::SliceMechanism::vendor:
      return "the vendor's driver";
  }
  return {};
}

std::string line(std::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return {};
  std::string padded(key);
  padded.resize(16, ' ');
  return text::cat({padded, text::join(values, ", "), "\n"});
}

std::string resources_of(const vendors::Resources& resources) {
  std::string out = line("count", resources.count);
  out += line("memory", resources.memory.names);
  if (!resources.memory.names.empty()) out += line("  unit", {to_text(resources.memory.unit)});
  out += line("cores", resources.cores.names);
  for (const auto& model : resources.models) {
    std::vector<std::string> names = model.count;
    for (const auto* more : {&model.memory.names, &model.cores.names})
      names.insert(names.end(), more->begin(), more->end());
    out += line("  " + model.model, names);
  }
  return out;
}

std::string slices_of(const vendors::SliceRules& slice) {
  std::string out =
      line("slices", {std::string(word(slice.mechanism)) + (slice.enforced ? "" : " (not enforced)")});
  std::vector<std::string> sizes;
  for (const auto& tier : slice.memory_tiers) sizes.push_back(to_text(tier));
  for (const auto& made : slice.templates) {
    sizes.push_back(text::cat({made.name, "=", to_text(made.memory), made.models.empty() ? "" : " on ",
                               text::join(made.models, "/")}));
  }
  return out + line("  sizes", sizes);
}

}  // namespace

Result<std::string> check_recipe(const std::string& file, const RecipeRequest& request) {
  HAMI_TRY(const auto loaded, load(file, request));
  const auto& recipe = loaded.recipe;
  return text::cat({file, ": recipe ", recipe.metadata.name, " for ", recipe.metadata.vendor, "/",
                    recipe.metadata.device_class, ", ", text::number(recipe.inject.size()), " blocks, ",
                    text::number(loaded.tests.cases.size()), " tests\n"});
}

Result<std::string> test_recipe(const std::string& file, const RecipeRequest& request) {
  HAMI_TRY(const auto loaded, load(file, request));
  if (loaded.tests.cases.empty() && request.golden.empty()) {
    return fail(Errc::invalid_config, text::cat({file, ": it has no tests"}),
                "add a section `tests` with a node and cases");
  }
  HAMI_TRY(const auto node, RecipeNode::build(loaded.tests.node));
  Report report;
  for (const auto& test : loaded.tests.cases)
    report.add(test.name, verdict(test, answer_to(loaded.recipe, node, test)));
  if (!request.golden.empty()) HAMI_CHECK(run_golden(loaded, node, request, report));
  const std::string summary = text::cat(
      {text::number(report.passed), " of ", text::number(report.passed + report.failed), " cases hold\n"});
  if (report.failed == 0) return report.text + summary;
  return fail(Errc::invalid_config, text::cat({file, ": ", summary, report.text}));
}

Result<std::string> show_recipe(const std::string& name, const RecipeRequest& request) {
  HAMI_TRY(const auto recipes, vendors::load_recipes(request.directories));
  std::vector<std::string> known;
  for (const auto& recipe : recipes) {
    known.push_back(recipe.metadata.name);
    if (recipe.metadata.name != name) continue;
    std::string out = line("recipe", {recipe.metadata.name});
    out += line("kind", {text::cat({recipe.metadata.vendor, "/", recipe.metadata.device_class})});
    out += line("variables", recipe.request.env) + resources_of(recipe.resources) + slices_of(recipe.slice);
    for (const auto& [ability, certainty] : recipe.support) {
      out += line(ability, {std::string(word(certainty))});
    }
    return out;
  }
  return fail(Errc::not_found, text::cat({"no recipe ", text::quote(name)}),
              text::cat({"known: ", text::join(known, ", ")}));
}

Result<std::string> import_recipe(const std::string& file, const std::string& recipe) {
  HAMI_TRY(const auto text, files::read(file, vendors::yaml::kMaxBytes));
  return import_resources(text, file, recipe);
}

Result<std::string> recipe_table(const RecipeRequest& request) {
  HAMI_TRY(const auto recipes, vendors::load_recipes(request.directories));
  constexpr const char* kAbilities[] = {"discovery", "whole", "selector", "partitions", "slices"};
  std::string out = "| Recipe | Selected by |";
  std::string rule = "\n|---|---|";
  for (const auto* ability : kAbilities) {
    out += text::cat({" ", ability, " |"});
    rule += "---|";
  }
  out += rule + " --- |\n";
  out.insert(out.find('\n'), " A part of a device is held by |");
  for (const auto& recipe : recipes) {
    const auto& env = recipe.request.env;
    out += text::cat({"| ", recipe.metadata.name, " | ", env.empty() ? "resource name" : env.front(), " |"});
    for (const auto* ability : kAbilities) {
      const auto found = recipe.support.find(ability);
      out += text::cat({" ", found == recipe.support.end() ? "–" : word(found->second), " |"});
    }
    const auto& slice = recipe.slice;
    out += text::cat({" ", slice.enforced ? word(slice.mechanism) : "nobody: refused", " |\n"});
  }
  return out;
}

}  // namespace hami::hamictl
