// The node's own lists of what belongs to a device: device nodes, libraries, directories and links.
#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/mount_list.h"
#include "vendors/renderer.h"

namespace hami::vendors {

namespace {

constexpr int kMaxLinks = 16;

// `target` as a path inside the root, when a link at `path` says so; empty when it climbs above the root.
std::string resolved(const std::string& path, const std::string& target) {
  std::vector<std::string_view> parts;
  const std::string whole =
      target.starts_with('/') ? target : text::cat({files::dir_name(path), "/", target});
  for (const std::string_view part : text::split(whole, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return {};
    } else {
      parts.pop_back();
    }
  }
  std::string out;
  for (const auto part : parts) out += text::cat({"/", part});
  return out;
}

}  // namespace

Result<> Renderer::file_list(const FileListRule& rule) {
  for (const auto& name : rule.names) {
    const std::string path = text::cat({rule.directory, "/", name});
    const auto file = driver_.find(path);
    if (!file) {
      HAMI_CHECK(
          missing(Need::optional, text::cat({"read the list ", text::quote(path), ": it is not there"})));
      continue;
    }
    if (!is_trusted(file->info)) {
      return fail(
          Errc::denied,
          text::cat({"read the list ", text::quote(file->host_path), ": others than root can change it"}),
          "chown it to root and chmod it to 0644");
    }
    HAMI_TRY(const auto text, driver_.read(path, kMaxMountListBytes));
    HAMI_TRY(const auto entries, parse_mount_list(text, file->host_path));
    for (const Listed& entry : entries) HAMI_CHECK(give_listed(entry));
  }
  return {};
}

// What is listed and not there belongs to another model of the board: the lists are for all of them.
Result<> Renderer::give_listed(const Listed& entry) {
  if (entry.kind == ListedKind::device) {
    DeviceNodeRule rule;
    rule.path = entry.path;
    rule.verify.kernel_name = true;
    return device_node(rule);
  }
  for (const auto& path : driver_.matching(entry.path)) {
    if (entry.kind == ListedKind::symlink) {
      HAMI_CHECK(listed_link(path));
    } else {
      HAMI_CHECK(listed_file(path, entry.kind));
    }
  }
  return {};
}

Result<> Renderer::listed_file(const std::string& path, ListedKind kind) {
  MountRule rule;
  rule.host = path;
  rule.path = path;
  rule.kind = kind == ListedKind::directory ? FileKind::directory : FileKind::file;
  const std::size_t before = out_.edits.mounts.size();
  HAMI_CHECK(mount(rule));
  const bool is_library = files::base_name(path).find(".so") != std::string_view::npos;
  if (out_.edits.mounts.size() > before && is_library && recipe_.update_ldcache) {
    const std::string directory = files::dir_name(path);
    auto& dirs = out_.plan.ldcache_dirs;
    if (std::find(dirs.begin(), dirs.end(), directory) == dirs.end()) dirs.push_back(directory);
    out_.plan.libraries.push_back(path);
  }
  return {};
}

// Every link on the way is made again, and what the last one leads to is given.
Result<> Renderer::listed_link(const std::string& path) {
  std::string at = path;
  for (int i = 0; i < kMaxLinks; ++i) {
    const auto target = driver_.link_target(at);
    if (!target) return at == path && i == 0 ? listed_file(at, ListedKind::file) : listed_end(at);
    Link link{at, *target};
    auto& links = out_.plan.links;
    if (std::find(links.begin(), links.end(), link) == links.end()) links.push_back(std::move(link));
    at = resolved(at, *target);
    if (at.empty()) break;
  }
  return missing(Need::optional, text::cat({"follow the link ", text::quote(path), ": it leads nowhere"}));
}

Result<> Renderer::listed_end(const std::string& path) {
  const auto file = driver_.find(path);
  if (!file) return missing(Need::optional, text::cat({"find ", text::quote(path), ": it is not there"}));
  const auto kind = S_ISDIR(file->info.st_mode) ? ListedKind::directory : ListedKind::file;
  const std::string list = kind == ListedKind::directory ? "dir, " : "lib, ";
  // Where a link leads nobody has looked at yet.
  HAMI_TRY(const auto checked, parse_mount_list(list + path, "a link of the lists"));
  for (const Listed& entry : checked) HAMI_CHECK(listed_file(entry.path, kind));
  return {};
}

}  // namespace hami::vendors
