#include "oci-config/apply.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "oci-config/json_access.h"

namespace hami::oci {

namespace {

JsonPtr make_string(std::string_view value) {
  return JsonPtr(json_object_new_string_len(value.data(), static_cast<int>(value.size())));
}

JsonPtr make_int(std::int64_t value) { return JsonPtr(json_object_new_int64(value)); }

JsonPtr make_list(const std::vector<std::string>& values) {
  JsonPtr list(json_object_new_array());
  for (const auto& value : values) json_object_array_add(list.get(), make_string(value).release());
  return list;
}

void put(JsonRef object, const char* name, JsonPtr value) {
  json_object_object_add(object, name, value.release());
}

// The member `name` of `parent`, created when absent or null. Fails when it has another type.
Result<JsonRef> ensure(JsonRef parent, const char* name, json_type type, std::string_view path) {
  HAMI_TRY(const JsonRef existing, member_of(parent, name, type, path));
  if (existing != nullptr) return existing;
  JsonPtr fresh(type == json_type_array ? json_object_new_array() : json_object_new_object());
  const JsonRef borrowed = fresh.get();
  put(parent, name, std::move(fresh));
  return borrowed;
}

// Removes the elements of an array for which `matches` is true.
template <typename Matches>
void remove_if(JsonRef array, Matches matches) {
  for (std::size_t i = json_object_array_length(array); i-- > 0;) {
    if (matches(json_object_array_get_idx(array, i))) json_object_array_del_idx(array, i, 1);
  }
}

bool has_text(JsonRef object, const char* name, std::string_view expected) {
  const JsonRef value = member(object, name);
  return value != nullptr && json_object_is_type(value, json_type_string) && text_of(value) == expected;
}

bool has_int(JsonRef object, const char* name, std::int64_t expected) {
  const JsonRef value = member(object, name);
  return value != nullptr && json_object_is_type(value, json_type_int) &&
         json_object_get_int64(value) == expected;
}

// "/a//b/./c/" → "/a/b/c". Without ".." components, which only the kernel can resolve.
std::string normal_path(std::string_view path) {
  std::string out;
  for (const auto part : text::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

bool is_at_or_below(std::string_view path, std::string_view parent) {
  if (path == parent) return true;
  return path.size() > parent.size() && path.substr(0, parent.size()) == parent && path[parent.size()] == '/';
}

std::string type_text(DeviceType type) { return {static_cast<char>(type)}; }

JsonPtr device_node(const DeviceEdit& device) {
  JsonPtr node(json_object_new_object());
  put(node.get(), "path", make_string(device.path));
  put(node.get(), "type", make_string(type_text(device.type)));
  put(node.get(), "major", make_int(device.major));
  put(node.get(), "minor", make_int(device.minor));
  put(node.get(), "fileMode", make_int(device.file_mode));
  if (device.uid) put(node.get(), "uid", make_int(*device.uid));
  if (device.gid) put(node.get(), "gid", make_int(*device.gid));
  return node;
}

bool is_rule_for(JsonRef rule, const DeviceEdit& device) {
  const JsonRef allow = member(rule, "allow");
  return allow != nullptr && json_object_get_boolean(allow) != 0 &&
         has_text(rule, "type", type_text(device.type)) && has_int(rule, "major", device.major) &&
         has_int(rule, "minor", device.minor);
}

JsonPtr allow_rule(const DeviceEdit& device) {
  JsonPtr rule(json_object_new_object());
  put(rule.get(), "allow", JsonPtr(json_object_new_boolean(1)));
  put(rule.get(), "type", make_string(type_text(device.type)));
  put(rule.get(), "major", make_int(device.major));
  put(rule.get(), "minor", make_int(device.minor));
  put(rule.get(), "access", make_string(device.access));
  return rule;
}

JsonPtr deny_all_rule() {
  JsonPtr rule(json_object_new_object());
  put(rule.get(), "allow", JsonPtr(json_object_new_boolean(0)));
  put(rule.get(), "access", make_string("rwm"));
  return rule;
}

Result<> apply_devices(JsonRef root, const std::vector<DeviceEdit>& devices) {
  if (devices.empty()) return {};
  HAMI_TRY(const JsonRef linux, ensure(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef nodes, ensure(linux, "devices", json_type_array, "linux"));
  HAMI_TRY(const JsonRef resources, ensure(linux, "resources", json_type_object, "linux"));
  HAMI_TRY(const JsonRef rules, ensure(resources, "devices", json_type_array, "linux.resources"));
  if (json_object_array_length(rules) == 0) json_object_array_add(rules, deny_all_rule().release());
  for (const DeviceEdit& device : devices) {
    remove_if(nodes, [&](JsonRef node) { return has_text(node, "path", device.path); });
    json_object_array_add(nodes, device_node(device).release());
    remove_if(rules, [&](JsonRef rule) { return is_rule_for(rule, device); });
    json_object_array_add(rules, allow_rule(device).release());
  }
  return {};
}

JsonPtr mount_object(const Mount& mount) {
  JsonPtr object(json_object_new_object());
  put(object.get(), "destination", make_string(mount.destination));
  if (!mount.type.empty()) put(object.get(), "type", make_string(mount.type));
  put(object.get(), "source", make_string(mount.source));
  put(object.get(), "options", make_list(mount.options));
  return object;
}

// A mount of the user at or below one of ours would hide it, or be hidden by it.
Result<> refuse_overlap(JsonRef mounts, const std::vector<Mount>& ours) {
  for (std::size_t i = 0; i < json_object_array_length(mounts); ++i) {
    const JsonRef theirs = json_object_array_get_idx(mounts, i);
    HAMI_TRY(const auto destination, string_member(theirs, "destination", element_path("mounts", i)));
    HAMI_TRY(const auto source, string_member(theirs, "source", element_path("mounts", i)));
    const std::string path = normal_path(destination.value_or(""));
    for (const Mount& mount : ours) {
      const std::string our_path = normal_path(mount.destination);
      if (!is_at_or_below(path, our_path)) continue;
      if (path == our_path && source == mount.source) continue;
      const bool below_another_of_ours = std::any_of(ours.begin(), ours.end(), [&](const Mount& other) {
        return normal_path(other.destination) == path && source == other.source;
      });
      if (below_another_of_ours) continue;
      return fail(Errc::invalid_request,
                  text::cat({"the container mounts ", text::quote(source.value_or("")), " at ",
                             text::quote(path), ", where ", text::quote(mount.destination), " must be"}),
                  "remove that mount from the container");
    }
  }
  return {};
}

std::size_t depth(const Mount& mount) {
  const std::string path = normal_path(mount.destination);
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

Result<> apply_mounts(JsonRef root, std::vector<Mount> ours) {
  if (ours.empty()) return {};
  HAMI_TRY(const JsonRef mounts, ensure(root, "mounts", json_type_array, ""));
  HAMI_CHECK(refuse_overlap(mounts, ours));
  // A directory before a file in it: the other way round it would hide the file.
  std::stable_sort(ours.begin(), ours.end(),
                   [](const Mount& a, const Mount& b) { return depth(a) < depth(b); });
  for (const Mount& mount : ours) {
    const std::string path = normal_path(mount.destination);
    remove_if(mounts, [&](JsonRef theirs) {
      const JsonRef destination = member(theirs, "destination");
      return destination != nullptr && json_object_is_type(destination, json_type_string) &&
             normal_path(text_of(destination)) == path;
    });
  }
  for (const Mount& mount : ours) json_object_array_add(mounts, mount_object(mount).release());
  return {};
}

bool names_variable(JsonRef entry, std::string_view name) {
  if (!json_object_is_type(entry, json_type_string)) return false;
  const std::string text = text_of(entry);
  return text.substr(0, text.find('=')) == name;
}

// Exactly one entry per name is left, in the place of the first one: consumers disagree on duplicates.
void apply_variable(JsonRef env, const EnvEdit& edit) {
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < json_object_array_length(env) && !first; ++i) {
    if (names_variable(json_object_array_get_idx(env, i), edit.name)) first = i;
  }
  if (first && edit.op == EnvEdit::Op::set_default) return;
  if (edit.op == EnvEdit::Op::unset) {
    remove_if(env, [&](JsonRef entry) { return names_variable(entry, edit.name); });
    return;
  }
  JsonPtr entry = make_string(text::cat({edit.name, "=", edit.value}));
  if (!first) {
    json_object_array_add(env, entry.release());
    return;
  }
  json_object_array_put_idx(env, *first, entry.release());
  for (std::size_t i = json_object_array_length(env); i-- > *first + 1;) {
    if (names_variable(json_object_array_get_idx(env, i), edit.name)) json_object_array_del_idx(env, i, 1);
  }
}

Result<> apply_env(JsonRef process, const std::vector<EnvEdit>& edits) {
  if (edits.empty()) return {};
  HAMI_TRY(const JsonRef env, ensure(process, "env", json_type_array, "process"));
  for (const EnvEdit& edit : edits) apply_variable(env, edit);
  return {};
}

Result<> apply_gids(JsonRef process, const std::vector<std::uint32_t>& gids) {
  if (gids.empty()) return {};
  HAMI_TRY(const JsonRef user, ensure(process, "user", json_type_object, "process"));
  HAMI_TRY(const JsonRef list, ensure(user, "additionalGids", json_type_array, "process.user"));
  for (const std::uint32_t gid : gids) {
    remove_if(list, [&](JsonRef item) {
      return json_object_is_type(item, json_type_int) && json_object_get_int64(item) == gid;
    });
    json_object_array_add(list, make_int(gid).release());
  }
  return {};
}

const char* stage_name(HookStage stage) {
  switch (stage) {
    case HookStage::prestart:
      return "prestart";
    case HookStage::create_runtime:
      return "createRuntime";
    case HookStage::create_container:
      return "createContainer";
    case HookStage::start_container:
      return "startContainer";
    case HookStage::poststart:
      return "poststart";
    case HookStage::poststop:
      return "poststop";
  }
  return "prestart";
}

bool is_hook(JsonRef object, const HookEdit& hook) {
  const JsonRef args = member(object, "args");
  if (!has_text(object, "path", hook.path) || args == nullptr) return false;
  return json_object_equal(args, make_list(hook.args).get()) != 0;
}

JsonPtr hook_object(const HookEdit& hook) {
  JsonPtr object(json_object_new_object());
  put(object.get(), "path", make_string(hook.path));
  put(object.get(), "args", make_list(hook.args));
  put(object.get(), "env", make_list(hook.env));
  if (hook.timeout_seconds > 0) put(object.get(), "timeout", make_int(hook.timeout_seconds));
  return object;
}

bool is_named(JsonRef hook, const std::vector<std::string>& names) {
  const JsonRef path = member(hook, "path");
  if (path == nullptr || !json_object_is_type(path, json_type_string)) return false;
  const std::string text = text_of(path);
  return std::find(names.begin(), names.end(), text.substr(text.rfind('/') + 1)) != names.end();
}

Result<> drop_hooks(JsonRef root, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  HAMI_TRY(const JsonRef hooks, member_of(root, "hooks", json_type_object, ""));
  if (hooks == nullptr) return {};
  json_object_object_foreach(hooks, stage, list) {
    if (list == nullptr) continue;
    if (!json_object_is_type(list, json_type_array))
      return wrong_type(text::cat({"hooks.", stage}), "an array");
    remove_if(list, [&](JsonRef hook) { return is_named(hook, names); });
  }
  return {};
}

Result<> apply_hooks(JsonRef root, const std::vector<HookEdit>& edits) {
  if (edits.empty()) return {};
  HAMI_TRY(const JsonRef hooks, ensure(root, "hooks", json_type_object, ""));
  for (const HookEdit& hook : edits) {
    HAMI_TRY(const JsonRef list, ensure(hooks, stage_name(hook.stage), json_type_array, "hooks"));
    remove_if(list, [&](JsonRef existing) { return is_hook(existing, hook); });
    json_object_array_add(list, hook_object(hook).release());
  }
  return {};
}

Result<> apply_annotations(JsonRef root, const std::map<std::string, std::string>& annotations) {
  if (annotations.empty()) return {};
  HAMI_TRY(const JsonRef object, ensure(root, "annotations", json_type_object, ""));
  for (const auto& [key, value] : annotations) put(object, key.c_str(), make_string(value));
  return {};
}

Result<> apply_paths(JsonRef root, const char* name, const std::vector<std::string>& paths) {
  if (paths.empty()) return {};
  HAMI_TRY(const JsonRef linux, ensure(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef list, ensure(linux, name, json_type_array, "linux"));
  for (const std::string& path : paths) {
    remove_if(list, [&](JsonRef item) {
      return json_object_is_type(item, json_type_string) && text_of(item) == path;
    });
    json_object_array_add(list, make_string(path).release());
  }
  return {};
}

}  // namespace

Result<Document> apply(Document document, const ContainerEdits& edits) {
  const JsonRef root = document.root();
  if (!edits.env.empty() || !edits.additional_gids.empty()) {
    HAMI_TRY(const JsonRef process, member_of(root, "process", json_type_object, ""));
    if (process == nullptr) return fail(Errc::invalid_spec, "process is missing");
    HAMI_CHECK(apply_env(process, edits.env));
    HAMI_CHECK(apply_gids(process, edits.additional_gids));
  }
  HAMI_CHECK(apply_devices(root, edits.devices));
  HAMI_CHECK(apply_mounts(root, edits.mounts));
  HAMI_CHECK(drop_hooks(root, edits.drop_hooks));
  HAMI_CHECK(apply_hooks(root, edits.hooks));
  HAMI_CHECK(apply_annotations(root, edits.annotations));
  HAMI_CHECK(apply_paths(root, "maskedPaths", edits.masked_paths));
  HAMI_CHECK(apply_paths(root, "readonlyPaths", edits.readonly_paths));
  return document;
}

}  // namespace hami::oci
