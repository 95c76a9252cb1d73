// Files of the driver that become read-only mounts. Sources are real files below the driver root, links
// resolved inside it; destinations come from the recipe and the container's layout alone.
#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/renderer.h"

namespace hami::vendors {

namespace {

const std::vector<std::string>& read_only() {
  static const std::vector<std::string> options{"ro", "nosuid", "nodev", "rbind", "rprivate"};
  return options;
}

bool is_regular(const std::optional<HostFile>& file) { return file && S_ISREG(file->info.st_mode); }

bool is_kind(const HostFile& file, FileKind kind) {
  switch (kind) {
    case FileKind::file:
      return S_ISREG(file.info.st_mode);
    case FileKind::directory:
      return S_ISDIR(file.info.st_mode);
    case FileKind::socket:
      return S_ISSOCK(file.info.st_mode);
  }
  return false;
}

bool has(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

Result<> Renderer::add_mount(std::string source, std::string destination, std::vector<std::string> options) {
  for (const auto& mount : out_.edits.mounts) {
    if (mount.destination != destination) continue;
    if (mount.source == source) return {};
    return fail(Errc::invalid_config,
                text::cat({"render ", recipe_.metadata.name, ": both ", text::quote(mount.source), " and ",
                           text::quote(source), " would be mounted at ", text::quote(destination)}));
  }
  out_.edits.mounts.push_back({std::move(destination), std::move(source), "bind", std::move(options)});
  return {};
}

Result<> Renderer::library(const LibraryRule& rule) {
  HAMI_TRY(const auto version, expand(rule.version, conditions_.variables));
  for (const auto& name : rule.names) {
    const auto found = libraries_.find({name, version, rule.subdirectory, rule.compat32});
    if (found) {
      HAMI_CHECK(add_library(*found, rule));
      continue;
    }
    std::string hint;
    const auto other =
        rule.required ? libraries_.find({name, "", rule.subdirectory, rule.compat32}) : std::nullopt;
    if (other)
      hint = text::cat(
          {"the node has version ", other->version, ": reboot it, or load the matching kernel driver"});
    if (!other && rule.required)
      hint = "install the user part of the driver, in the version of its kernel module";
    HAMI_CHECK(missing(rule.required ? Need::required : Need::optional,
                       text::cat({"find library '", name, ".so", version.empty() ? "" : ".", version,
                                  rule.compat32 ? "' (32-bit)" : "'", ": not in the root ",
                                  text::quote(driver_.directory())}),
                       std::move(hint)));
  }
  return {};
}

Result<> Renderer::add_library(const Library& found, const LibraryRule& rule) {
  std::string directory = conditions_.variables[rule.compat32 ? "ctr.libdir32" : "ctr.libdir"];
  if (rule.subdirectory.empty()) {
    auto& dirs = out_.plan.ldcache_dirs;
    if (recipe_.update_ldcache && !has(dirs, directory)) dirs.push_back(directory);
    if (recipe_.update_ldcache)
      out_.plan.libraries.push_back(text::cat({directory, "/", files::base_name(found.file.path)}));
  } else {
    directory = text::cat({directory, "/", rule.subdirectory});
  }
  const std::string file(files::base_name(found.file.path));
  given_[file.substr(0, file.find(".so."))].insert(directory);
  for (const auto& name : found.names) {
    Link link{text::cat({directory, "/", name}), file};
    auto& links = out_.plan.links;
    if (std::find(links.begin(), links.end(), link) == links.end()) links.push_back(std::move(link));
  }
  return add_mount(found.file.host_path, text::cat({directory, "/", file}), read_only());
}

std::optional<HostFile> Renderer::first_file(const std::vector<std::string>& directories,
                                             const std::string& name) const {
  for (const auto& directory : directories) {
    auto file = driver_.find(text::cat({directory, "/", name}));
    if (is_regular(file) && is_trusted(file->info)) return file;
  }
  return std::nullopt;
}

Result<> Renderer::binary(const BinaryRule& rule) {
  for (const auto& name : rule.names) {
    const auto file = first_file(recipe_.search.binaries, name);
    if (file) {
      HAMI_CHECK(add_mount(file->host_path, text::cat({"/usr/bin/", name}), read_only()));
    } else {
      HAMI_CHECK(missing(
          rule.required ? Need::required : Need::optional,
          text::cat({"find program '", name, "': not in the root ", text::quote(driver_.directory())})));
    }
  }
  return {};
}

Result<> Renderer::firmware(const FirmwareRule& rule) {
  HAMI_TRY(const auto pattern, expand(rule.pattern, conditions_.variables));
  for (const auto& text : rule.search) {
    HAMI_TRY(const auto base, expand(text, conditions_.variables));
    bool found = false;
    for (const auto& path : driver_.matching(text::cat({base, "/", pattern}))) {
      const auto file = driver_.find(path);
      if (!is_regular(file) || !is_trusted(file->info)) continue;
      found = true;
      HAMI_CHECK(add_mount(file->host_path, path, read_only()));
    }
    if (found) return {};
  }
  return missing(rule.required ? Need::required : Need::optional,
                 text::cat({"find firmware ", text::quote(pattern), ": not in the root ",
                            text::quote(driver_.directory())}));
}

Result<> Renderer::config(const ConfigRule& rule) {
  for (const auto& name : rule.names) {
    const auto file = first_file(rule.search, name);
    if (file) {
      HAMI_CHECK(add_mount(file->host_path, text::cat({rule.destination, "/", name}), read_only()));
    } else {
      HAMI_CHECK(missing(Need::optional, text::cat({"find file ", text::quote(name), ": not in the root ",
                                                    text::quote(driver_.directory())})));
    }
  }
  return {};
}

Result<> Renderer::mount(const MountRule& rule) {
  HAMI_TRY(const auto host, expand(rule.host, conditions_.variables));
  HAMI_TRY(auto path, expand(rule.path, conditions_.variables));
  const Need need = rule.required ? Need::required : Need::optional;
  const auto root = inventory_.roots.find(rule.root);
  if (root == inventory_.roots.end())
    return fail(Errc::internal,
                text::cat({"render ", recipe_.metadata.name, ": the root '", rule.root, "' is not known"}));
  HAMI_TRY(const HostDir directory, HostDir::open(root->second));
  const auto file = directory.find(host);
  if (!file || !is_kind(*file, rule.kind))
    return missing(need,
                   text::cat({"find ", text::quote(host), ": not in the root ", text::quote(root->second)}),
                   rule.hint);

  std::vector<std::string> options = rule.options.empty() ? read_only() : rule.options;
  if (!has(options, "rw") && S_ISREG(file->info.st_mode) && !is_trusted(file->info))
    return missing(need,
                   text::cat({"mount ", text::quote(file->host_path), ": others than root can change it"}));
  if (!has(options, "bind") && !has(options, "rbind")) options.emplace_back("rbind");
  const bool has_propagation = has(options, "private") || has(options, "rprivate") || has(options, "rslave");
  if (!has_propagation) options.emplace_back("rprivate");
  if (rule.replaces && !has(out_.replaced, path)) out_.replaced.push_back(path);
  if (auto& dirs = out_.plan.ldcache_dirs; rule.libraries && !has(dirs, path)) dirs.push_back(path);
  return add_mount(file->host_path, std::move(path), std::move(options));
}

}  // namespace hami::vendors
