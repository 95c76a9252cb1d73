#include "hamictl/cdi.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/config.h"
#include "vendors/cdi_spec.h"
#include "vendors/plan_json.h"
#include "vendors/recipe_yaml.h"

namespace hami::hamictl {

namespace {

constexpr std::size_t kMaxSpecBytes = 1U << 20U;

Result<> write_spec(const std::string& name, const vendors::CdiExport& spec, const CdiRequest& request,
                    const std::string& plan) {
  if (!spec.plan.empty()) {
    HAMI_CHECK(files::make_dirs(request.plans, 0755));
    HAMI_TRY(const auto json, vendors::to_json(spec.plan));
    HAMI_CHECK(files::write_atomic(plan, json, 0600));
  }
  HAMI_CHECK(files::make_dirs(request.output, 0755));
  return files::write_atomic(text::cat({request.output, "/hami-", name, ".json"}), spec.json, 0644);
}

// "" when the recipe's devices are not here and nobody asked for exactly this one.
Result<std::string> generate_one(const vendors::Recipe& recipe, const shim::Config& config, bool is_named,
                                 const CdiRequest& request) {
  const auto inventory = vendors::discover(recipe, config.roots);
  if (!inventory && inventory.error().code == Errc::not_found && !is_named) return std::string{};
  if (!inventory) return tl::unexpected<Error>(inventory.error());
  const std::string plan = text::cat({request.plans, "/", recipe.metadata.name, ".json"});
  HAMI_TRY(const auto spec, vendors::export_cdi(recipe, *inventory, {config.paths.hook, plan}));
  if (request.output.empty()) return spec.json;
  HAMI_CHECK(write_spec(recipe.metadata.name, spec, request, plan));
  return text::cat({request.output, "/hami-", recipe.metadata.name,
                    ".json: ", text::number(inventory->devices.size()), " devices\n"});
}

// Specification files of the directories, the later ones with more weight.
std::vector<std::string> spec_files(const CdiRequest& request) {
  std::vector<std::string> found;
  for (const auto& directory : request.directories) {
    std::vector<std::string> here;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failure)) {
      const auto extension = entry.path().extension();
      if (extension == ".json" || extension == ".yaml") here.push_back(entry.path().string());
    }
    std::sort(here.begin(), here.end());
    found.insert(found.end(), here.begin(), here.end());
  }
  return found;
}

Result<vendors::CdiSpec> read_spec(const std::string& file) {
  HAMI_TRY(const auto text, files::read_trusted(file, kMaxSpecBytes, files::Trust::root_owned));
  return vendors::parse_cdi_spec(text, file);
}

}  // namespace

Result<std::string> generate_cdi(const std::vector<std::string>& recipes, const CdiRequest& request) {
  HAMI_TRY(const auto config, shim::load_config(shim::config_path()));
  HAMI_TRY(const auto known, vendors::load_recipes(config.recipe_dirs));
  for (const auto& name : recipes) {
    const bool is_known = std::any_of(known.begin(), known.end(),
                                      [&](const auto& recipe) { return recipe.metadata.name == name; });
    if (!is_known) return fail(Errc::not_found, text::cat({"no recipe ", text::quote(name)}));
  }
  std::string out;
  for (const auto& recipe : known) {
    const bool is_named = std::find(recipes.begin(), recipes.end(), recipe.metadata.name) != recipes.end();
    if (!recipes.empty() && !is_named) continue;
    HAMI_TRY(const auto one, generate_one(recipe, config, is_named, request));
    out += one;
  }
  if (!out.empty()) return out;
  return fail(Errc::not_found, "cdi generate: no recipe finds its devices on this node",
              "see hamictl recipe table for what is looked for");
}

Result<std::string> list_cdi(const CdiRequest& request) {
  std::map<std::string, std::string> names;  // qualified name → file
  std::string bad;
  for (const auto& file : spec_files(request)) {
    const auto spec = read_spec(file);
    if (!spec) {
      bad += text::cat({"invalid: ", spec.error().line(), "\n"});
      continue;
    }
    for (const auto& device : spec->devices) names[text::cat({spec->kind, "=", device.name})] = file;
  }
  std::string out;
  for (const auto& [name, file] : names) out += text::cat({name, "  ", file, "\n"});
  return out + bad;
}

Result<std::string> check_cdi(const std::vector<std::string>& names, const CdiRequest& request) {
  std::string out;
  bool bad = false;
  for (const auto& file : names.empty() ? spec_files(request) : names) {
    const auto spec = read_spec(file);
    std::vector<std::string> problems;
    if (spec) {
      problems = vendors::cdi_problems(*spec);
    } else {
      problems.push_back(spec.error().line());
    }
    bad = bad || !problems.empty();
    out += text::cat({file, problems.empty() ? ": ok" : ": ", text::join(problems, "; "), "\n"});
  }
  if (bad) return fail(Errc::invalid_config, text::cat({"cdi check:\n", out}));
  return out.empty() ? "no specification\n" : out;
}

}  // namespace hami::hamictl
