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

// A recipe that found its devices on this node.
struct Found {
  const vendors::Recipe* recipe = nullptr;
  vendors::Inventory inventory;
};

// Those asked for, or all whose devices are here.
Result<std::vector<Found>> find_devices(const std::vector<vendors::Recipe>& known,
                                        const std::vector<std::string>& names, const shim::Config& config) {
  std::vector<Found> out;
  for (const auto& recipe : known) {
    const bool is_named = std::find(names.begin(), names.end(), recipe.metadata.name) != names.end();
    if (!names.empty() && !is_named) continue;
    auto inventory = vendors::discover(recipe, config.roots);
    if (!inventory && inventory.error().code == Errc::not_found && !is_named) continue;
    if (!inventory) return fail(inventory.error());
    out.push_back({&recipe, *std::move(inventory)});
  }
  return out;
}

// What the version of the specification cannot say, for the reader of the report.
std::string note_of(const vendors::CdiExport& spec) {
  if (spec.left_out_gids.empty()) return {};
  std::vector<std::string> gids;
  for (const auto gid : spec.left_out_gids) gids.push_back(text::number(gid));
  return text::cat({" (version ", spec.version,
                    " has no group ids: users of the container who are not root need ",
                    text::join(gids, ", "), " from --group-add)"});
}

// Writes one recipe's devices as a kind ("": its own) into a file; returns the line for the report.
Result<std::string> write_spec(const Found& found, const std::string& kind, const std::string& file,
                               const shim::Config& config, const CdiRequest& request) {
  const std::string plan = text::cat({request.plans, "/", found.recipe->metadata.name, ".json"});
  HAMI_TRY(const auto spec, vendors::export_cdi(*found.recipe, found.inventory, {config.paths.hook, plan},
                                                {request.version, kind}));
  if (!spec.plan.empty()) {
    HAMI_CHECK(files::make_dirs(request.plans, 0755));
    HAMI_TRY(const auto json, vendors::to_json(spec.plan));
    // The hook reads it as the container's root, who is an ordinary user where the engine is one's.
    HAMI_CHECK(files::write_atomic(plan, json, 0644));
  }
  HAMI_CHECK(files::make_dirs(request.output, 0755));
  HAMI_CHECK(files::write_atomic(file, spec.json, 0644));
  return text::cat(
      {file, ": ", text::number(found.inventory.devices.size()), " devices", note_of(spec), "\n"});
}

// The vendor-neutral kind of every class. Two recipes of one class would give one name to two devices.
Result<std::string> write_neutral_kinds(const std::vector<Found>& found, const shim::Config& config,
                                        const CdiRequest& request) {
  std::map<std::string, std::vector<const Found*>> classes;
  for (const Found& one : found) classes[one.recipe->metadata.device_class].push_back(&one);
  std::string out;
  for (const auto& [name, all] : classes) {
    const std::string file = text::cat({request.output, "/hami-any-", name, ".json"});
    const std::string kind = text::cat({"hami.io/", name});
    if (all.size() == 1) {
      HAMI_TRY(const auto line, write_spec(*all.front(), kind, file, config, request));
      out += line;
      continue;
    }
    std::error_code failure;
    std::filesystem::remove(file, failure);  // of a time when there was one
    std::vector<std::string> vendors;
    for (const Found* one : all) vendors.push_back(one->recipe->metadata.name);
    out += text::cat({kind, ": not written, ", text::join(vendors, " and "),
                      " have devices of this class; generate one of them by name\n"});
  }
  return out;
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
  HAMI_TRY(auto known, vendors::load_recipes(config.recipe_dirs));
  const auto others = vendors::left_out(known, config.roots);
  std::erase_if(known, [&](const auto& recipe) { return others.contains(recipe.metadata.name); });
  for (const auto& name : recipes) {
    const bool is_known = std::any_of(known.begin(), known.end(),
                                      [&](const auto& recipe) { return recipe.metadata.name == name; });
    if (!is_known) return fail(Errc::not_found, text::cat({"no recipe ", text::quote(name)}));
  }
  HAMI_TRY(const auto found, find_devices(known, recipes, config));
  if (found.empty())
    return fail(Errc::not_found, "cdi generate: no recipe finds its devices on this node",
                "see hamictl recipe table for what is looked for");
  std::string out;
  for (const Found& one : found) {
    const std::string& name = one.recipe->metadata.name;
    if (request.output.empty()) {
      const std::string plan = text::cat({request.plans, "/", name, ".json"});
      HAMI_TRY(const auto spec, vendors::export_cdi(*one.recipe, one.inventory, {config.paths.hook, plan},
                                                    {request.version, ""}));
      out += spec.json;
      continue;
    }
    const std::string file = text::cat({request.output, "/hami-", name, ".json"});
    HAMI_TRY(const auto line, write_spec(one, "", file, config, request));
    out += line;
  }
  if (request.output.empty()) return out;
  HAMI_TRY(const auto neutral, write_neutral_kinds(found, config, request));
  return out + neutral;
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
