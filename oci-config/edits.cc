#include "oci-config/edits.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "oci-config/base/text.h"
#include "oci-config/paths.h"

namespace hami::oci {

namespace {

// What two edits have in common when they are about the same thing.
std::string key(const DeviceEdit& device) { return normal_path(device.path); }
std::string key(const Mount& mount) { return normal_path(mount.destination); }
const std::string& key(const EnvEdit& variable) { return variable.name; }
auto key(const HookEdit& hook) { return std::tie(hook.stage, hook.path, hook.args); }

std::string name(const DeviceEdit& device) { return text::cat({"device ", text::quote(device.path)}); }
std::string name(const Mount& mount) { return text::cat({"mount at ", text::quote(mount.destination)}); }
std::string name(const EnvEdit& variable) { return text::cat({"variable ", text::quote(variable.name)}); }
std::string name(const HookEdit& hook) { return text::cat({"hook ", text::quote(hook.path)}); }

std::string value(const DeviceEdit& device) {
  return text::cat({text::number(static_cast<std::uint64_t>(device.major)), ":",
                    text::number(static_cast<std::uint64_t>(device.minor)), " ", device.access});
}
std::string value(const Mount& mount) {
  return text::cat({text::quote(mount.source), " (", text::join(mount.options, ","), ")"});
}
std::string value(const EnvEdit& variable) { return text::quote(variable.value); }
std::string value(const HookEdit& hook) { return text::quote(text::join(hook.env, " ")); }

tl::unexpected<Error> conflict(std::string_view name, std::string_view first, std::string_view second) {
  return fail(Errc::invalid_request, text::cat({name, " is wanted as ", first, " and as ", second}),
              "check the recipes of the vendors that this container asks for");
}

// Appends the entries of `more` that `into` lacks.
template <typename Entry>
Result<> merge_list(std::vector<Entry>& into, std::vector<Entry> more) {
  for (Entry& entry : more) {
    const auto same = [&](const Entry& other) { return key(other) == key(entry); };
    const auto existing = std::find_if(into.begin(), into.end(), same);
    if (existing == into.end()) {
      into.push_back(std::move(entry));
    } else if (!(*existing == entry)) {
      return conflict(name(entry), value(*existing), value(entry));
    }
  }
  return {};
}

template <typename Value>
void merge_set(std::vector<Value>& into, const std::vector<Value>& more) {
  for (const Value& value : more) {
    if (std::find(into.begin(), into.end(), value) == into.end()) into.push_back(value);
  }
}

tl::unexpected<Error> bad(std::string_view what, std::string_view value) {
  return fail(Errc::internal, text::cat({"an edit has ", what, " ", text::quote(value)}),
              "report this with the recipe in use");
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_clean_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || has_nul(path)) return false;
  const auto parts = text::split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

// Both runtimes take a word they do not know for data and ignore it: a misspelt "ro" gives a writable mount.
constexpr std::array<std::string_view, 29> kBindOptions{
    "bind",        "rbind",      "ro",         "rw",          "nosuid",     "suid",       "nodev",   "dev",
    "noexec",      "exec",       "sync",       "async",       "private",    "rprivate",   "slave",   "rslave",
    "shared",      "rshared",    "unbindable", "runbindable", "relatime",   "norelatime", "noatime", "atime",
    "strictatime", "nodiratime", "diratime",   "idmap",       "nosymfollow"};

bool is_bind(const Mount& mount) {
  const auto has = [&](const char* option) {
    return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
  };
  return has("bind") || has("rbind");
}

Result<> validate_mount(const Mount& mount) {
  if (!is_clean_path(mount.destination)) return bad("the mount destination", mount.destination);
  if (normal_path(mount.destination) == "/") return bad("the mount destination", mount.destination);
  if (mount.source.empty() || has_nul(mount.source)) return bad("the mount source", mount.source);
  if (!is_bind(mount)) {
    if (mount.type.empty() || mount.type == "bind") return bad("no option 'bind' for", mount.destination);
    return {};
  }
  if (!is_clean_path(mount.source)) return bad("the mount source", mount.source);
  for (const std::string& option : mount.options) {
    const bool known = std::find(kBindOptions.begin(), kBindOptions.end(), option) != kBindOptions.end();
    if (!known) return bad("the bind option", option);
  }
  return {};
}

Result<> validate_device(const DeviceEdit& device) {
  if (!is_clean_path(device.path)) return bad("the device path", device.path);
  const bool letters = device.access.find_first_not_of("rwm") == std::string::npos;
  if (!letters || device.access.empty()) return bad("the device access", device.access);
  // A negative number would be a wildcard in the rule.
  if (device.major < 0 || device.minor < 0) return bad("a negative number for the device", device.path);
  if (device.file_mode > 0777) return bad("more than permissions in the mode of", device.path);
  return {};
}

Result<> validate_variable(const EnvEdit& variable) {
  const bool bad_name = variable.name.empty() || variable.name.find('=') != std::string::npos;
  if (bad_name || has_nul(variable.name)) return bad("the variable name", variable.name);
  if (has_nul(variable.value)) return bad("a NUL in the variable", variable.name);
  return {};
}

Result<> validate_hook(const HookEdit& hook) {
  if (!is_clean_path(hook.path)) return bad("the hook path", hook.path);
  if (hook.args.empty()) return bad("no args for the hook", hook.path);
  if (hook.env.empty()) return bad("no env for the hook", hook.path);
  for (const std::string& entry : hook.env) {
    if (entry.find('=') == std::string::npos || has_nul(entry)) return bad("the hook variable", entry);
  }
  if (std::any_of(hook.args.begin(), hook.args.end(), has_nul)) return bad("a NUL in args of", hook.path);
  if (hook.timeout_seconds < 0) return bad("a negative time limit for the hook", hook.path);
  return {};
}

Result<> validate_paths(const std::vector<std::string>& paths) {
  const auto at = std::find_if_not(paths.begin(), paths.end(), is_clean_path);
  if (at != paths.end()) return bad("the masked or read-only path", *at);
  return {};
}

}  // namespace

bool is_syscall_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool ContainerEdits::empty() const { return *this == ContainerEdits{}; }

Result<> merge(ContainerEdits& edits, ContainerEdits more) {
  HAMI_CHECK(merge_list(edits.devices, std::move(more.devices)));
  HAMI_CHECK(merge_list(edits.mounts, std::move(more.mounts)));
  HAMI_CHECK(merge_list(edits.env, std::move(more.env)));
  HAMI_CHECK(merge_list(edits.hooks, std::move(more.hooks)));
  for (const auto& [key, value] : more.annotations) {
    const auto [existing, added] = edits.annotations.emplace(key, value);
    if (!added && existing->second != value) {
      return conflict(text::cat({"annotation ", text::quote(key)}), text::quote(existing->second),
                      text::quote(value));
    }
  }
  for (const auto& [name, value] : more.unified) {
    // One line per device: those of several vendors stand below each other.
    std::string& mine = edits.unified[name];
    if (mine == value) continue;
    mine = mine.empty() ? value : text::cat({mine, "\n", value});
  }
  merge_set(edits.additional_gids, more.additional_gids);
  merge_set(edits.masked_paths, more.masked_paths);
  merge_set(edits.readonly_paths, more.readonly_paths);
  merge_set(edits.syscalls, more.syscalls);
  merge_set(edits.drop_hooks, more.drop_hooks);
  merge_set(edits.drop_mounts, more.drop_mounts);
  return {};
}

Result<> validate(const ContainerEdits& edits) {
  for (const DeviceEdit& device : edits.devices) HAMI_CHECK(validate_device(device));
  for (const Mount& mount : edits.mounts) HAMI_CHECK(validate_mount(mount));
  for (const EnvEdit& variable : edits.env) HAMI_CHECK(validate_variable(variable));
  for (const HookEdit& hook : edits.hooks) HAMI_CHECK(validate_hook(hook));
  for (const auto& [key, value] : edits.annotations) {
    if (key.empty() || has_nul(key)) return bad("the annotation", key);
  }
  for (const auto& [name, value] : edits.unified) {
    const bool is_file = !name.empty() && name.find('/') == std::string::npos && !has_nul(name);
    if (!is_file || has_nul(value)) return bad("the cgroup file", name);
  }
  const auto unnamed = std::find_if_not(edits.syscalls.begin(), edits.syscalls.end(), is_syscall_name);
  if (unnamed != edits.syscalls.end()) return bad("the system call", *unnamed);
  HAMI_CHECK(validate_paths(edits.masked_paths));
  return validate_paths(edits.readonly_paths);
}

}  // namespace hami::oci
