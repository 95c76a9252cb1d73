#include "oci-config/apply.h"

#include <algorithm>
#include <optional>

#include "oci-config/apply_mounts.h"
#include "oci-config/apply_seccomp.h"
#include "oci-config/base/text.h"
#include "oci-config/json_edit.h"
#include "oci-config/paths.h"

namespace hami::oci {

namespace {

std::string type_text(DeviceType type) { return {static_cast<char>(type)}; }

JsonPtr device_node(const DeviceEdit& device) {
  JsonPtr node = made(json_object_new_object());
  put(node.get(), "path", new_string(device.path));
  put(node.get(), "type", new_string(type_text(device.type)));
  put(node.get(), "major", new_int(device.major));
  put(node.get(), "minor", new_int(device.minor));
  put(node.get(), "fileMode", new_int(device.file_mode));
  if (device.uid) put(node.get(), "uid", new_int(*device.uid));
  if (device.gid) put(node.get(), "gid", new_int(*device.gid));
  return node;
}

JsonPtr allow_rule(const DeviceEdit& device) {
  JsonPtr rule = made(json_object_new_object());
  put(rule.get(), "allow", made(json_object_new_boolean(1)));
  put(rule.get(), "type", new_string(type_text(device.type)));
  put(rule.get(), "major", new_int(device.major));
  put(rule.get(), "minor", new_int(device.minor));
  put(rule.get(), "access", new_string(device.access));
  return rule;
}

JsonPtr deny_all_rule() {
  JsonPtr rule = made(json_object_new_object());
  put(rule.get(), "allow", made(json_object_new_boolean(0)));
  put(rule.get(), "access", new_string("rwm"));
  return rule;
}

bool is_node_at(JsonRef node, const std::string& path) {
  const JsonRef theirs = member(node, "path");
  return theirs != nullptr && json_object_is_type(theirs, json_type_string) &&
         normal_path(view_of(theirs)) == path;
}

Result<> apply_devices(JsonRef root, const std::vector<DeviceEdit>& devices) {
  if (devices.empty()) return {};
  HAMI_TRY(const JsonRef linux, ensure(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef nodes, ensure(linux, "devices", json_type_array, "linux"));
  HAMI_TRY(const JsonRef resources, ensure(linux, "resources", json_type_object, "linux"));
  HAMI_TRY(const JsonRef rules, ensure(resources, "devices", json_type_array, "linux.resources"));
  if (json_object_array_length(rules) == 0) append(rules, deny_all_rule());
  for (const DeviceEdit& device : devices) {
    const std::string path = normal_path(device.path);
    remove_if(nodes, [&](JsonRef node) { return is_node_at(node, path); });
    append(nodes, device_node(device));
    // Only our own rule moves: one of the container's with other letters may give it more than ours does.
    JsonPtr allow = allow_rule(device);
    remove_if(rules, [&](JsonRef rule) { return json_object_equal(rule, allow.get()) != 0; });
    append(rules, std::move(allow));
  }
  return {};
}

bool names_variable(JsonRef entry, std::string_view name) {
  if (!json_object_is_type(entry, json_type_string)) return false;
  const std::string_view text = view_of(entry);
  return text.substr(0, text.find('=')) == name;
}

// Exactly one entry of this name is left, in the place of the first one: what reads the environment inside
// the container may take the first entry while the runtime takes the last.
void apply_variable(JsonRef env, const EnvEdit& edit) {
  std::optional<std::size_t> first;
  JsonRef last = nullptr;
  for (std::size_t i = 0; i < json_object_array_length(env); ++i) {
    const JsonRef entry = json_object_array_get_idx(env, i);
    if (!names_variable(entry, edit.name)) continue;
    if (!first) first = i;
    last = entry;
  }
  JsonPtr kept;
  if (edit.op == EnvEdit::Op::set_default && first) {
    kept = new_string(view_of(last));
  } else if (edit.op != EnvEdit::Op::unset) {
    kept = new_string(text::cat({edit.name, "=", edit.value}));
  }
  if (first && kept != nullptr) {
    const JsonRef place = kept.get();
    json_object_array_put_idx(env, *first, kept.release());
    remove_if(env, [&](JsonRef entry) { return entry != place && names_variable(entry, edit.name); });
    return;
  }
  if (first) remove_if(env, [&](JsonRef entry) { return names_variable(entry, edit.name); });
  if (kept != nullptr) append(env, std::move(kept));
}

Result<> apply_env(JsonRef process, const std::vector<EnvEdit>& edits) {
  if (edits.empty()) return {};
  HAMI_TRY(const JsonRef env, ensure(process, "env", json_type_array, "process"));
  for (const EnvEdit& edit : edits) apply_variable(env, edit);
  return {};
}

// Adds `value` unless an element is equal to it.
void append_once(JsonRef array, JsonPtr value) {
  for (std::size_t i = 0; i < json_object_array_length(array); ++i) {
    if (json_object_equal(json_object_array_get_idx(array, i), value.get()) != 0) return;
  }
  append(array, std::move(value));
}

Result<> apply_gids(JsonRef process, const std::vector<std::uint32_t>& gids) {
  if (gids.empty()) return {};
  HAMI_TRY(const JsonRef user, ensure(process, "user", json_type_object, "process"));
  HAMI_TRY(const JsonRef list, ensure(user, "additionalGids", json_type_array, "process.user"));
  for (const std::uint32_t gid : gids) append_once(list, new_int(gid));
  return {};
}

Result<> apply_process(JsonRef root, const ContainerEdits& edits) {
  if (edits.env.empty() && edits.additional_gids.empty()) return {};
  HAMI_TRY(const JsonRef process, member_of(root, "process", json_type_object, ""));
  if (process == nullptr) {
    return fail(Errc::invalid_spec, "process is missing",
                "a container that runs nothing cannot use a device");
  }
  HAMI_CHECK(apply_env(process, edits.env));
  return apply_gids(process, edits.additional_gids);
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
  return json_object_equal(args, new_list(hook.args).get()) != 0;
}

JsonPtr hook_object(const HookEdit& hook) {
  JsonPtr object = made(json_object_new_object());
  put(object.get(), "path", new_string(hook.path));
  put(object.get(), "args", new_list(hook.args));
  put(object.get(), "env", new_list(hook.env));
  if (hook.timeout_seconds > 0) put(object.get(), "timeout", new_int(hook.timeout_seconds));
  return object;
}

bool is_named(JsonRef hook, const std::vector<std::string>& names) {
  const JsonRef path = member(hook, "path");
  if (path == nullptr || !json_object_is_type(path, json_type_string)) return false;
  const std::string_view text = view_of(path);
  return std::find(names.begin(), names.end(), text.substr(text.rfind('/') + 1)) != names.end();
}

Result<> drop_hooks(JsonRef root, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  HAMI_TRY(const JsonRef hooks, member_of(root, "hooks", json_type_object, ""));
  if (hooks == nullptr) return {};
  json_object_object_foreach(hooks, stage, list) {
    if (list == nullptr) continue;
    if (!json_object_is_type(list, json_type_array))
      return wrong_type(text::cat({"hooks.", text::quote(stage)}), "an array");
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
    append(list, hook_object(hook));
  }
  return {};
}

Result<> apply_annotations(JsonRef root, const std::map<std::string, std::string>& annotations) {
  if (annotations.empty()) return {};
  HAMI_TRY(const JsonRef object, ensure(root, "annotations", json_type_object, ""));
  for (const auto& [key, value] : annotations) put(object, key.c_str(), new_string(value));
  return {};
}

// A value of the user's own for the same file would undo the limit.
Result<> apply_unified(JsonRef root, const std::map<std::string, std::string>& files) {
  if (files.empty()) return {};
  HAMI_TRY(const JsonRef linux, ensure(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef resources, ensure(linux, "resources", json_type_object, "linux"));
  HAMI_TRY(const JsonRef unified, ensure(resources, "unified", json_type_object, "linux.resources"));
  for (const auto& [name, value] : files) put(unified, name.c_str(), new_string(value));
  return {};
}

Result<> apply_paths(JsonRef root, const char* name, const std::vector<std::string>& paths) {
  if (paths.empty()) return {};
  HAMI_TRY(const JsonRef linux, ensure(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef list, ensure(linux, name, json_type_array, "linux"));
  for (const std::string& path : paths) append_once(list, new_string(path));
  return {};
}

}  // namespace

Result<Document> apply(Document document, const ContainerEdits& edits) {
  const JsonRef root = document.root();
  HAMI_CHECK(apply_process(root, edits));
  HAMI_CHECK(apply_devices(root, edits.devices));
  HAMI_CHECK(apply_unified(root, edits.unified));
  HAMI_CHECK(remove_mounts(root, edits.drop_mounts));
  HAMI_CHECK(apply_mounts(root, edits.mounts));
  HAMI_CHECK(drop_hooks(root, edits.drop_hooks));
  HAMI_CHECK(apply_hooks(root, edits.hooks));
  HAMI_CHECK(apply_annotations(root, edits.annotations));
  HAMI_CHECK(apply_paths(root, "maskedPaths", edits.masked_paths));
  HAMI_CHECK(apply_paths(root, "readonlyPaths", edits.readonly_paths));
  HAMI_CHECK(allow_syscalls(root, edits.syscalls));
  return document;
}

}  // namespace hami::oci
