#include "vendors/recipe_yaml.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "oci-config/base/files.h"
#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"
#include "vendors/yaml_tree.h"

namespace hami::vendors {

namespace {

constexpr std::string_view kApiVersion = "hami.io/recipe/v1";
constexpr std::size_t kMaxFiles = 256;

// A file whose head is understood and whose sections are not read yet.
struct Source {
  std::string file;
  yaml::Node tree;
  bool is_overlay = false;
  std::string name;
  std::string extends;
  yaml::Position extends_at;
};

Result<std::string> head_text(const Source& source, std::string_view key) {
  const auto* node = source.tree.find(key);
  if (node == nullptr) return std::string{};
  if (node->kind != yaml::Node::Kind::scalar || node->text.empty())
    return fail(yaml::error_at(source.file, node->at, "expected a text"));
  return node->text;
}

Result<Source> parse_source(std::string_view yaml, std::string_view file_name) {
  Source source;
  source.file = file_name;
  HAMI_TRY(source.tree, yaml::parse(yaml, file_name));
  const auto value_position = [&source](std::string_view key) {
    const auto* node = source.tree.find(key);
    return node == nullptr ? source.tree.at : node->at;
  };

  HAMI_TRY(const std::string version, head_text(source, "apiVersion"));
  if (version != kApiVersion) {
    return fail(yaml::error_at(file_name, value_position("apiVersion"),
                               version.empty() ? "the key 'apiVersion' is missing"
                                               : text::cat({"unknown apiVersion ", text::quote(version, 60)}),
                               text::cat({"this version reads ", kApiVersion})));
  }
  HAMI_TRY(const std::string kind, head_text(source, "kind"));
  if (kind != "Recipe" && kind != "Overlay") {
    return fail(yaml::error_at(
        file_name, value_position("kind"),
        kind.empty() ? "the key 'kind' is missing" : text::cat({"unknown kind ", text::quote(kind, 60)}),
        "known: Recipe, Overlay"));
  }
  source.is_overlay = kind == "Overlay";
  HAMI_TRY(source.extends, head_text(source, "extends"));
  source.extends_at = value_position("extends");
  if (source.is_overlay && source.extends.empty())
    return fail(yaml::error_at(file_name, source.tree.at, "an overlay needs the key 'extends'"));

  if (const auto* metadata = source.tree.find("metadata"); metadata != nullptr) {
    if (const auto* name = metadata->find("name"); name != nullptr) source.name = name->text;
  }
  if (source.name.empty()) {
    if (!source.is_overlay)
      return fail(
          yaml::error_at(file_name, value_position("metadata"), "a recipe needs a name in 'metadata'"));
    source.name = files::base_name(file_name);
  }
  return source;
}

// The sections of `source` over `recipe`.
Result<> decode_over(const Source& source, Recipe& recipe) {
  Decoder decoder(source.file);
  decoder.recipe(source.tree, recipe);
  if (decoder.error()) return fail(*decoder.error());
  return {};
}

Result<> check_complete(const Source& source, const Recipe& recipe) {
  std::string_view missing;
  if (recipe.metadata.vendor.empty() || recipe.metadata.device_class.empty())
    missing = "metadata: vendor and class";
  if (recipe.devices.each.empty()) missing = "devices: each";
  if (missing.empty()) return {};
  return fail(
      yaml::error_at(source.file, source.tree.at, text::cat({"the recipe is not complete: ", missing})));
}

// Builds recipes from sources that may refer to each other.
class Assembly {
 public:
  explicit Assembly(std::vector<Source> sources) : sources_(std::move(sources)), done_(sources_.size()) {}

  Result<std::vector<Recipe>> run() {
    HAMI_CHECK(check_names());
    std::vector<Recipe> recipes;
    for (const auto& source : sources_) {
      if (source.is_overlay) continue;
      HAMI_TRY(Recipe recipe, build(source, 0));
      recipes.push_back(std::move(recipe));
    }
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i].is_overlay) HAMI_CHECK(overlay(i, recipes, 0));
    }
    return recipes;
  }

 private:
  const Source* named(std::string_view name) const {
    const auto found =
        std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) { return s.name == name; });
    return found == sources_.end() ? nullptr : &*found;
  }

  Result<> check_names() const {
    for (const auto& source : sources_) {
      const auto* first = named(source.name);
      if (first == &source) continue;
      return fail(yaml::error_at(
          source.file, source.tree.at,
          text::cat({"the name ", text::quote(source.name, 60), " is already taken by ", first->file}),
          "change a recipe with kind: Overlay"));
    }
    return {};
  }

  Result<const Source*> base_of(const Source& source, std::size_t depth) const {
    const auto* base = named(source.extends);
    if (base == nullptr) {
      return fail(yaml::error_at(
          source.file, source.extends_at,
          text::cat({"extends ", text::quote(source.extends, 60), ": there is no such recipe"})));
    }
    if (depth > sources_.size())
      return fail(yaml::error_at(source.file, source.extends_at,
                                 "extends: the recipes extend each other in a circle"));
    return base;
  }

  Result<Recipe> build(const Source& source, std::size_t depth) {
    Recipe recipe;
    if (!source.extends.empty()) {
      HAMI_TRY(const Source* base, base_of(source, depth));
      if (base->is_overlay)
        return fail(yaml::error_at(source.file, source.extends_at, "a recipe cannot extend an overlay"));
      HAMI_TRY(recipe, build(*base, depth + 1));
    }
    HAMI_CHECK(decode_over(source, recipe));
    HAMI_CHECK(check_complete(source, recipe));
    return recipe;
  }

  // Applies an overlay after those it extends, once; gives the recipe's place.
  Result<std::size_t> overlay(std::size_t index, std::vector<Recipe>& recipes, std::size_t depth) {
    const Source& source = sources_[index];
    HAMI_TRY(const Source* base, base_of(source, depth));
    std::size_t target = 0;
    if (base->is_overlay) {
      HAMI_TRY(target, overlay(static_cast<std::size_t>(base - sources_.data()), recipes, depth + 1));
    } else {
      while (recipes[target].metadata.name != base->name) ++target;
    }
    if (done_[index]) return target;
    done_[index] = true;
    Metadata kept = recipes[target].metadata;
    HAMI_CHECK(decode_over(source, recipes[target]));
    recipes[target].metadata = std::move(kept);
    return target;
  }

  std::vector<Source> sources_;
  std::vector<bool> done_;  // overlays that are applied
};

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

// Names of the directory's recipe files, sorted. Empty when there is no such directory.
Result<std::vector<std::string>> recipe_files(const std::string& directory) {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
  if (!dir) {
    if (errno == ENOENT) return std::vector<std::string>{};
    return fail_errno("list recipes in", directory);
  }
  struct stat info {};
  if (::fstat(::dirfd(dir.get()), &info) != 0) return fail_errno("inspect", directory);
  if (!files::is_trusted_owner(info.st_uid) || (info.st_mode & 022U) != 0) {
    return fail(Errc::denied,
                text::cat({"list recipes in ", text::quote(directory), ": others than root can change it"}),
                "make it owned by root and run chmod go-w on it");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(".yaml") || name.starts_with(".")) continue;
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<Source>> read_sources(const std::vector<std::string>& directories) {
  std::vector<Source> sources;
  for (const auto& directory : directories) {
    HAMI_TRY(const auto names, recipe_files(directory));
    for (const auto& name : names) {
      if (sources.size() == kMaxFiles)
        return fail(Errc::invalid_config,
                    text::cat({"load recipes: more than ", text::number(kMaxFiles), " files"}));
      const std::string path = text::cat({directory, "/", name});
      HAMI_TRY(const auto yaml, files::read_trusted(path, yaml::kMaxBytes, files::Trust::root_owned));
      HAMI_TRY(Source source, parse_source(yaml, path));
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

}  // namespace

Result<Recipe> parse_recipe(std::string_view yaml, std::string_view file_name) {
  HAMI_TRY(Source source, parse_source(yaml, file_name));
  if (source.is_overlay || !source.extends.empty())
    return fail(yaml::error_at(file_name, source.extends_at, "what it extends is not loaded"));
  std::vector<Source> sources;
  sources.push_back(std::move(source));
  HAMI_TRY(auto recipes, Assembly(std::move(sources)).run());
  return std::move(recipes.front());
}

Result<Recipe> load_recipe_file(const std::string& path, const std::vector<std::string>& directories) {
  HAMI_TRY(const auto yaml, files::read(path, yaml::kMaxBytes));
  HAMI_TRY(Source source, parse_source(yaml, path));
  if (source.extends.empty()) return parse_recipe(yaml, path);
  std::string wanted = source.name;
  HAMI_TRY(auto all, read_sources(directories));
  std::erase_if(all, [&](const Source& other) { return other.is_overlay || other.name == wanted; });
  if (source.is_overlay) wanted = source.extends;
  all.push_back(std::move(source));
  HAMI_TRY(auto recipes, Assembly(std::move(all)).run());
  for (auto& recipe : recipes) {
    if (recipe.metadata.name == wanted) return std::move(recipe);
  }
  return fail(Errc::internal, text::cat({"recipe ", text::quote(wanted), " got lost"}));
}

Result<std::vector<Recipe>> load_recipes(const std::vector<std::string>& directories) {
  HAMI_TRY(auto sources, read_sources(directories));
  return Assembly(std::move(sources)).run();
}

}  // namespace hami::vendors
