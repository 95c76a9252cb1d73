#include "vendors/cdi_inject.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "oci-config/base/files.h"
#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"
#include "vendors/cdi_spec.h"
#include "vendors/host_dir.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxSpecBytes = 1U << 20U;
constexpr std::size_t kMaxSpecs = 256;
constexpr std::size_t kMaxNames = 256;

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

struct Found {
  std::shared_ptr<const CdiSpec> spec;
  const CdiDevice* device = nullptr;
  std::string file;
  std::size_t directory = 0;
};

// All devices of the specifications on this node.
class Registry {
 public:
  Result<> read(const std::vector<std::string>& directories) {
    for (std::size_t i = 0; i < directories.size(); ++i) HAMI_CHECK(read_directory(directories[i], i));
    return {};
  }

  Result<const Found*> find(const std::string& name) const {
    const auto at = devices_.find(name);
    if (at == devices_.end()) return static_cast<const Found*>(nullptr);
    if (const auto twice = conflicts_.find(name); twice != conflicts_.end())
      return fail(Errc::invalid_config,
                  text::cat({"CDI device ", text::quote(name), ": both ", at->second.file, " and ",
                             twice->second, " describe it"}),
                  "remove one of the files");
    return &at->second;
  }

  [[nodiscard]] const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  Result<> read_directory(const std::string& directory, std::size_t rank) {
    const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
    if (dir == nullptr)
      return errno == ENOENT ? Result<>{} : fail_errno("list CDI specifications in", directory);
    struct stat info {};
    if (::fstat(::dirfd(dir.get()), &info) != 0) return fail_errno("inspect", directory);
    if (!is_trusted(info)) {
      unreadable_.push_back(text::cat({directory, ": others than root can change it"}));
      return {};
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name.front() != '.' && (name.ends_with(".json") || name.ends_with(".yaml")))
        names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      if (++files_ > kMaxSpecs) return fail(Errc::invalid_config, "there are too many CDI specifications");
      read_file(text::cat({directory, "/", name}), rank);
    }
    return {};
  }

  // One bad file must not take away the devices of the others.
  void read_file(const std::string& file, std::size_t rank) {
    const auto text = files::read_trusted(file, kMaxSpecBytes, files::Trust::root_owned);
    auto spec = text ? parse_cdi_spec(*text, file) : fail(text.error());
    if (!spec) return unreadable_.push_back(spec.error().message);
    const auto shared = std::make_shared<const CdiSpec>(*std::move(spec));
    for (const CdiDevice& device : shared->devices) {
      const std::string name = text::cat({shared->kind, "=", device.name});
      const auto [at, added] = devices_.try_emplace(name, Found{shared, &device, file, rank});
      if (added) continue;
      if (at->second.directory == rank) {
        conflicts_[name] = file;
      } else {
        conflicts_.erase(name);
        at->second = {shared, &device, file, rank};
      }
    }
  }

  std::map<std::string, Found> devices_;
  std::map<std::string, std::string> conflicts_;  // name → the second file of one directory that has it
  std::vector<std::string> unreadable_;
  std::size_t files_ = 0;
};

std::optional<oci::HookStage> stage_of(std::string_view name) {
  // Not prestart: it runs with the host's rights in a stage that the runtimes give up.
  if (name == "createRuntime") return oci::HookStage::create_runtime;
  if (name == "createContainer") return oci::HookStage::create_container;
  if (name == "startContainer") return oci::HookStage::start_container;
  if (name == "poststart") return oci::HookStage::poststart;
  if (name == "poststop") return oci::HookStage::poststop;
  return std::nullopt;
}

// One specification's edits as ours.
class Injector {
 public:
  Injector(const CdiHost& host, const HostDir& dev, CdiUse use, oci::ContainerEdits& out)
      : host_(host), dev_(dev), use_(use), out_(out) {}

  Result<> add(const CdiEdits& edits) {
    if (use_ == CdiUse::giving && !edits.unsupported.empty())
      return denied(text::cat({"it has ", edits.unsupported, ", which only an engine can give"}));
    for (const auto& entry : edits.env) HAMI_CHECK(variable(entry));
    for (const auto& rule : edits.nodes) HAMI_CHECK(node(rule));
    for (const auto& rule : edits.mounts) HAMI_CHECK(mount(rule));
    for (const auto& rule : edits.hooks) {
      if (use_ == CdiUse::giving) HAMI_CHECK(hook(rule));
    }
    for (const std::uint32_t gid : edits.gids) {
      if (gid != 0 && std::find(out_.additional_gids.begin(), out_.additional_gids.end(), gid) ==
                          out_.additional_gids.end())
        out_.additional_gids.push_back(gid);
    }
    return {};
  }

 private:
  static tl::unexpected<Error> denied(std::string cause) {
    return fail(Errc::denied, std::move(cause), "use the container engine's own support of CDI for it");
  }

  Result<> variable(const std::string& entry) {
    const auto equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos)
      return denied(text::cat({"the variable ", text::quote(entry, 60), " is not NAME=VALUE"}));
    std::string name = entry.substr(0, equals);
    if (name.starts_with("LD_")) return denied(text::cat({"the variable ", name, " belongs to the loader"}));
    std::erase_if(out_.env, [&](const oci::EnvEdit& edit) { return edit.name == name; });
    out_.env.push_back({std::move(name), entry.substr(equals + 1), oci::EnvEdit::Op::set});
    return {};
  }

  // The numbers are those of the node that is there now, and must be those the specification says, if it
  // does.
  Result<> node(const CdiNode& rule) {
    const std::string& host = rule.host_path.empty() ? rule.path : rule.host_path;
    for (const auto* path : {&host, &rule.path}) {
      if (const auto why = forbidden_device_path(*path); !why.empty())
        return denied(text::cat({"the device node ", text::quote(*path), " ", why}));
    }
    const auto found = dev_.find(host, HostDir::Links::refuse_last);
    if (!found)
      return fail(Errc::not_found, text::cat({"the device node ", text::quote(host), " is not on this node"}),
                  "write the specification anew");
    oci::DeviceEdit edit;
    edit.path = rule.path;
    if (S_ISBLK(found->info.st_mode)) edit.type = oci::DeviceType::block;
    const bool is_device = S_ISCHR(found->info.st_mode) || S_ISBLK(found->info.st_mode);
    const bool right_type = rule.type.empty() ||
                            rule.type == (edit.type == oci::DeviceType::block ? "b" : "c") ||
                            (rule.type == "u" && edit.type == oci::DeviceType::character);
    if (!is_device || !right_type)
      return denied(text::cat({text::quote(host), " is not the device node that the specification means"}));
    edit.major = major(found->info.st_rdev);
    edit.minor = minor(found->info.st_rdev);
    const bool says_numbers = rule.major != 0;
    if (says_numbers && (rule.major != edit.major || rule.minor != edit.minor)) {
      return fail(
          Errc::denied,
          text::cat({"the device node ", text::quote(host), " has other numbers than the specification"}),
          "write the specification anew");
    }
    edit.file_mode = rule.file_mode.value_or(found->info.st_mode & 0777U) & 0777U;
    edit.uid = rule.uid;
    edit.gid = rule.gid;
    edit.access = rule.permissions.empty() ? "rwm" : rule.permissions;
    std::erase_if(out_.devices, [&](const oci::DeviceEdit& other) { return other.path == edit.path; });
    out_.devices.push_back(std::move(edit));
    return {};
  }

  Result<> mount(oci::Mount rule) {
    if (const auto why = forbidden_container_path(rule.destination); !why.empty())
      return denied(text::cat({"a mount at ", text::quote(rule.destination), " ", why}));
    if (const auto why = forbidden_host_path(rule.source); !why.empty())
      return denied(text::cat({"the host's ", text::quote(rule.source), " ", why}));
    struct stat info {};
    if (::stat(rule.source.c_str(), &info) != 0)
      return fail(Errc::not_found, text::cat({text::quote(rule.source), " is not on this node"}),
                  "write the specification anew");
    const auto has = [&](std::string_view option) {
      return std::find(rule.options.begin(), rule.options.end(), option) != rule.options.end();
    };
    if (!rule.type.empty() && rule.type != "bind" && rule.type != "none")
      return denied(text::cat({"a mount of the type ", text::quote(rule.type, 40)}));
    rule.type = "bind";
    if (!has("bind") && !has("rbind")) rule.options.emplace_back("rbind");
    if (!has("suid")) rule.options.emplace_back("nosuid");
    if (!has("dev") && !has("nodev")) rule.options.emplace_back("nodev");
    std::erase_if(out_.mounts,
                  [&](const oci::Mount& other) { return other.destination == rule.destination; });
    out_.mounts.push_back(std::move(rule));
    return {};
  }

  Result<> hook(const CdiHook& rule) {
    const auto stage = stage_of(rule.name);
    if (!stage || rule.path != host_.hook || rule.args.empty())
      return denied(text::cat({"it wants to run ", text::quote(rule.path), " as a hook"}));
    oci::HookEdit edit{*stage, rule.path, rule.args, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, 30};
    if (std::find(out_.hooks.begin(), out_.hooks.end(), edit) == out_.hooks.end())
      out_.hooks.push_back(std::move(edit));
    return {};
  }

  const CdiHost& host_;
  const HostDir& dev_;
  CdiUse use_;
  oci::ContainerEdits& out_;
};

tl::unexpected<Error> unresolved(const std::vector<std::string>& names, const Registry& registry,
                                 const CdiHost& host) {
  std::string message = text::cat({"find CDI devices ", text::join(names, ", "), ": no specification in ",
                                   text::join(host.directories, " or "), " has them"});
  if (!registry.unreadable().empty())
    message += text::cat({" (not read: ", text::join(registry.unreadable(), "; "), ")"});
  return fail(Errc::not_found, std::move(message), "see hamictl cdi list");
}

}  // namespace

bool is_cdi_name(std::string_view text) {
  const auto slash = text.find('/');
  const auto equals = text.find('=');
  if (slash == std::string_view::npos || equals == std::string_view::npos || slash == 0 ||
      equals <= slash + 1 || equals + 1 == text.size() || text.size() > 256)
    return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              c == '_' || c == '.' || c == '-' || c == ':' || c == '/' || c == '=';
                     }) &&
         text.find('/', slash + 1) == std::string_view::npos &&
         text.find('=', equals + 1) == std::string_view::npos;
}

Result<oci::ContainerEdits> inject_cdi(const std::vector<std::string>& names, const CdiHost& host,
                                       CdiUse use) {
  if (names.size() > kMaxNames) return fail(Errc::invalid_request, "too many CDI devices are asked for");
  Registry registry;
  HAMI_CHECK(registry.read(host.directories));
  std::vector<const Found*> devices;
  std::vector<std::string> missing;
  for (const auto& name : names) {
    HAMI_TRY(const Found* found, registry.find(name));
    if (found == nullptr) missing.push_back(text::quote(name));
    devices.push_back(found);
  }
  if (!missing.empty()) return unresolved(missing, registry, host);

  HAMI_TRY(const HostDir dev, HostDir::open(host.dev_root));
  oci::ContainerEdits out;
  Injector injector(host, dev, use, out);
  std::set<const CdiSpec*> begun;
  std::set<const CdiDevice*> given;
  for (const Found* found : devices) {
    if (!given.insert(found->device).second) continue;
    const auto add = [&](const CdiEdits& edits) -> Result<> {
      auto added = injector.add(edits);
      if (added) return {};
      return fail(std::move(added).error().within(
          text::cat({"CDI device ", found->spec->kind, "=", found->device->name, " of ", found->file})));
    };
    if (begun.insert(found->spec.get()).second) HAMI_CHECK(add(found->spec->edits));
    HAMI_CHECK(add(found->device->edits));
  }
  if (const auto good = oci::validate(out); !good)
    return fail(Errc::invalid_config,
                text::cat({"CDI devices ", text::join(names, ", "), ": ", good.error().message}),
                "correct the specification");
  return out;
}

bool has_all(const oci::ContainerView& container, const oci::ContainerEdits& edits) {
  const bool nodes =
      std::all_of(edits.devices.begin(), edits.devices.end(), [&](const oci::DeviceEdit& device) {
        const auto& paths = container.device_paths;
        return std::find(paths.begin(), paths.end(), device.path) != paths.end();
      });
  return nodes && std::all_of(edits.mounts.begin(), edits.mounts.end(), [&](const oci::Mount& mount) {
           return std::any_of(
               container.mounts.begin(), container.mounts.end(), [&](const oci::Mount& existing) {
                 return existing.destination == mount.destination && existing.source == mount.source;
               });
         });
}

}  // namespace hami::vendors
