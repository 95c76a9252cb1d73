#include "oci-config/edits.h"

#include <algorithm>

#include "oci-config/base/text.h"

namespace hami::oci {

namespace {

tl::unexpected<Error> conflict(std::string_view what, std::string_view name) {
  return fail(Errc::invalid_request, text::cat({"two different edits of ", what, " ", text::quote(name)}),
              "check the recipes of the vendors this container asks for");
}

// Appends the entries of `more` that `into` lacks. Entries are the same thing when `key` is equal; then they
// must be equal altogether.
template <typename Entry, typename Key>
Result<> merge_list(std::vector<Entry>& into, std::vector<Entry> more, std::string_view what, Key key) {
  for (Entry& entry : more) {
    const auto same = [&](const Entry& other) { return key(other) == key(entry); };
    const auto existing = std::find_if(into.begin(), into.end(), same);
    if (existing == into.end()) {
      into.push_back(std::move(entry));
    } else if (!(*existing == entry)) {
      return conflict(what, key(entry));
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
  return fail(Errc::internal, text::cat({"edit with a bad ", what, " ", text::quote(value)}));
}

bool is_clean_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) return false;
  const auto parts = text::split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

Result<> validate_hook(const HookEdit& hook) {
  if (!is_clean_path(hook.path)) return bad("hook path", hook.path);
  if (hook.args.empty() || hook.env.empty()) return bad("hook without args or env", hook.path);
  if (hook.timeout_seconds < 0) return bad("hook time limit", hook.path);
  return {};
}

}  // namespace

bool ContainerEdits::empty() const { return *this == ContainerEdits{}; }

Result<> merge(ContainerEdits& edits, ContainerEdits more) {
  const auto by_path = [](const DeviceEdit& device) { return device.path; };
  const auto by_destination = [](const Mount& mount) { return mount.destination; };
  const auto by_name = [](const EnvEdit& variable) { return variable.name; };
  const auto by_command = [](const HookEdit& hook) {
    return text::cat({text::number(static_cast<std::uint64_t>(hook.stage)), " ", hook.path, " ",
                      text::join(hook.args, " ")});
  };
  HAMI_CHECK(merge_list(edits.devices, std::move(more.devices), "device", by_path));
  HAMI_CHECK(merge_list(edits.mounts, std::move(more.mounts), "mount", by_destination));
  HAMI_CHECK(merge_list(edits.env, std::move(more.env), "variable", by_name));
  HAMI_CHECK(merge_list(edits.hooks, std::move(more.hooks), "hook", by_command));
  for (auto& [key, value] : more.annotations) {
    const auto [existing, added] = edits.annotations.emplace(key, value);
    if (!added && existing->second != value) return conflict("annotation", key);
  }
  merge_set(edits.additional_gids, more.additional_gids);
  merge_set(edits.masked_paths, more.masked_paths);
  merge_set(edits.readonly_paths, more.readonly_paths);
  merge_set(edits.drop_hooks, more.drop_hooks);
  return {};
}

Result<> validate(const ContainerEdits& edits) {
  for (const DeviceEdit& device : edits.devices) {
    if (!is_clean_path(device.path)) return bad("device path", device.path);
    const bool letters = device.access.find_first_not_of("rwm") == std::string::npos;
    if (!letters || device.access.empty()) return bad("device access", device.access);
    if (device.major < 0 || device.minor < 0) return bad("device number", device.path);
  }
  for (const Mount& mount : edits.mounts) {
    if (!is_clean_path(mount.destination)) return bad("mount destination", mount.destination);
    if (mount.source.empty()) return bad("mount source", mount.destination);
  }
  for (const EnvEdit& variable : edits.env) {
    const bool nul = (variable.name + variable.value).find('\0') != std::string::npos;
    if (variable.name.empty() || variable.name.find('=') != std::string::npos || nul)
      return bad("variable", variable.name);
  }
  for (const HookEdit& hook : edits.hooks) HAMI_CHECK(validate_hook(hook));
  return {};
}

}  // namespace hami::oci
