#include "runtime-shim/state/runtime_state_json.h"

#include <json-c/json.h>

#include <memory>

namespace hami::state {

namespace {

struct Put {
  void operator()(json_object* object) const noexcept { json_object_put(object); }
};
using Json = std::unique_ptr<json_object, Put>;

Json parse_object(std::string_view text) {
  json_tokener* tokener = json_tokener_new_ex(128);
  Json root(json_tokener_parse_ex(tokener, text.data(), static_cast<int>(text.size())));
  json_tokener_free(tokener);
  return root;
}

json_object* member(json_object* object, const char* name) {
  json_object* value = nullptr;
  if (json_object_is_type(object, json_type_object)) json_object_object_get_ex(object, name, &value);
  return value;
}

std::string text_member(json_object* object, const char* name) {
  json_object* value = member(object, name);
  return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

Result<InitProcess> read_process(json_object* root, const char* pid_name, const char* start_name) {
  json_object* pid = member(root, pid_name);
  json_object* start = member(root, start_name);
  if (!json_object_is_type(pid, json_type_int) || !json_object_is_type(start, json_type_int)) {
    return fail(Errc::io, "the low-level runtime's state file has no process");
  }
  InitProcess process;
  process.pid = json_object_get_int(pid);
  process.start = json_object_get_uint64(start);
  return process;
}

}  // namespace

Result<InitProcess> parse_runc_state(std::string_view text) {
  const Json root = parse_object(text);
  HAMI_TRY(InitProcess process, read_process(root.get(), "init_process_pid", "init_process_start"));
  json_object* paths = member(root.get(), "cgroup_paths");
  process.cgroup = text_member(paths, "devices");
  if (process.cgroup.empty()) process.cgroup = text_member(paths, "");  // version 2: one path without a name
  return process;
}

Result<InitProcess> parse_crun_status(std::string_view text) {
  const Json root = parse_object(text);
  HAMI_TRY(InitProcess process, read_process(root.get(), "pid", "process-start-time"));
  const std::string path = text_member(root.get(), "cgroup-path");
  if (!path.empty()) process.cgroup = "/sys/fs/cgroup/devices" + path;
  return process;
}

}  // namespace hami::state
