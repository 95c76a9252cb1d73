#include "oci-config/view.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "oci-config/json_access.h"

namespace hami::oci {

namespace {

Result<std::vector<std::string>> string_list(JsonRef object, const char* name, std::string_view path) {
  std::vector<std::string> out;
  HAMI_TRY(const JsonRef list, member_of(object, name, json_type_array, path));
  const std::size_t count = list == nullptr ? 0 : json_object_array_length(list);
  const std::string list_path = text::cat({path, ".", name});
  for (std::size_t i = 0; i < count; ++i) {
    const JsonRef item = json_object_array_get_idx(list, i);
    if (!json_object_is_type(item, json_type_string))
      return wrong_type(element_path(list_path, i), "a string");
    out.push_back(text_of(item));
  }
  return out;
}

Result<> read_process(JsonRef root, ContainerView& view) {
  HAMI_TRY(const JsonRef process, member_of(root, "process", json_type_object, ""));
  view.has_process = process != nullptr;
  HAMI_TRY(const auto env, string_list(process, "env", "process"));
  for (const std::string& entry : env) {
    const auto equals = entry.find('=');
    const std::string value = equals == std::string::npos ? "" : entry.substr(equals + 1);
    view.env.emplace_back(entry.substr(0, equals), value);
  }
  HAMI_TRY(const JsonRef user, member_of(process, "user", json_type_object, "process"));
  HAMI_TRY(view.uid, u32_member(user, "uid", 0, "process.user"));
  HAMI_TRY(view.gid, u32_member(user, "gid", 0, "process.user"));
  HAMI_TRY(const JsonRef capabilities, member_of(process, "capabilities", json_type_object, "process"));
  HAMI_TRY(const auto bounding, string_list(capabilities, "bounding", "process.capabilities"));
  view.privileged = std::find(bounding.begin(), bounding.end(), "CAP_SYS_ADMIN") != bounding.end();
  return {};
}

Result<> read_root(JsonRef root, ContainerView& view) {
  HAMI_TRY(const JsonRef rootfs, member_of(root, "root", json_type_object, ""));
  HAMI_TRY(auto path, string_member(rootfs, "path", "root"));
  HAMI_TRY(const JsonRef readonly, member_of(rootfs, "readonly", json_type_boolean, "root"));
  view.rootfs = std::move(path).value_or("");
  view.rootfs_readonly = readonly != nullptr && json_object_get_boolean(readonly) != 0;
  return {};
}

Result<Mount> read_mount(JsonRef object, const std::string& path) {
  if (!json_object_is_type(object, json_type_object)) return wrong_type(path, "an object");
  Mount mount;
  HAMI_TRY(auto destination, string_member(object, "destination", path));
  HAMI_TRY(auto source, string_member(object, "source", path));
  HAMI_TRY(auto type, string_member(object, "type", path));
  HAMI_TRY(mount.options, string_list(object, "options", path));
  if (!destination) return fail(Errc::invalid_spec, text::cat({path, " has no destination"}));
  mount.destination = *std::move(destination);
  mount.source = std::move(source).value_or("");
  mount.type = std::move(type).value_or("");
  return mount;
}

Result<> read_mounts(JsonRef root, ContainerView& view) {
  HAMI_TRY(const JsonRef list, member_of(root, "mounts", json_type_array, ""));
  const std::size_t count = list == nullptr ? 0 : json_object_array_length(list);
  for (std::size_t i = 0; i < count; ++i) {
    HAMI_TRY(auto mount, read_mount(json_object_array_get_idx(list, i), element_path("mounts", i)));
    view.mounts.push_back(std::move(mount));
  }
  return {};
}

Result<std::vector<IdMapping>> read_mappings(JsonRef linux, const char* name) {
  std::vector<IdMapping> out;
  HAMI_TRY(const JsonRef list, member_of(linux, name, json_type_array, "linux"));
  const std::size_t count = list == nullptr ? 0 : json_object_array_length(list);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = element_path(text::cat({"linux.", name}), i);
    const JsonRef item = json_object_array_get_idx(list, i);
    if (!json_object_is_type(item, json_type_object)) return wrong_type(path, "an object");
    IdMapping mapping;
    HAMI_TRY(mapping.container_id, u32_member(item, "containerID", 0, path));
    HAMI_TRY(mapping.host_id, u32_member(item, "hostID", 0, path));
    HAMI_TRY(mapping.size, u32_member(item, "size", 0, path));
    out.push_back(mapping);
  }
  return out;
}

Result<> read_namespaces(JsonRef linux, ContainerView& view) {
  HAMI_TRY(const JsonRef list, member_of(linux, "namespaces", json_type_array, "linux"));
  const std::size_t count = list == nullptr ? 0 : json_object_array_length(list);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = element_path("linux.namespaces", i);
    const JsonRef item = json_object_array_get_idx(list, i);
    if (!json_object_is_type(item, json_type_object)) return wrong_type(path, "an object");
    HAMI_TRY(const auto type, string_member(item, "type", path));
    if (type != "user") continue;
    view.has_user_namespace = true;
    HAMI_TRY(auto joined, string_member(item, "path", path));
    view.user_namespace_path = std::move(joined).value_or("");
  }
  return {};
}

Result<> read_linux(JsonRef root, ContainerView& view) {
  HAMI_TRY(const JsonRef linux, member_of(root, "linux", json_type_object, ""));
  HAMI_CHECK(read_namespaces(linux, view));
  HAMI_TRY(view.uid_mappings, read_mappings(linux, "uidMappings"));
  HAMI_TRY(view.gid_mappings, read_mappings(linux, "gidMappings"));
  HAMI_TRY(auto cgroups_path, string_member(linux, "cgroupsPath", "linux"));
  view.cgroups_path = std::move(cgroups_path).value_or("");
  HAMI_TRY(const JsonRef devices, member_of(linux, "devices", json_type_array, "linux"));
  const std::size_t count = devices == nullptr ? 0 : json_object_array_length(devices);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = element_path("linux.devices", i);
    const JsonRef item = json_object_array_get_idx(devices, i);
    if (!json_object_is_type(item, json_type_object)) return wrong_type(path, "an object");
    HAMI_TRY(auto device, string_member(item, "path", path));
    HAMI_TRY(const auto type, string_member(item, "type", path));
    DeviceNumbers numbers;
    if (type == "c" || type == "u") {
      HAMI_TRY(numbers.major, u32_member(item, "major", 0, path));
      HAMI_TRY(numbers.minor, u32_member(item, "minor", 0, path));
    }
    view.device_paths.push_back(std::move(device).value_or(""));
    view.devices.push_back(numbers);
  }
  return {};
}

}  // namespace

std::optional<std::string_view> ContainerView::env_value(std::string_view name) const {
  for (auto it = env.rbegin(); it != env.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return std::nullopt;
}

std::optional<std::string_view> ContainerView::annotation(std::string_view key) const {
  const auto it = annotations.find(std::string(key));
  if (it == annotations.end()) return std::nullopt;
  return it->second;
}

bool ContainerView::is_sandbox() const {
  return annotation("io.kubernetes.cri.container-type") == "sandbox" ||
         annotation("io.kubernetes.cri-o.ContainerType") == "sandbox" ||
         annotation("io.kubernetes.docker.type") == "podsandbox";
}

bool ContainerView::is_kubernetes() const {
  return annotation("io.kubernetes.cri.container-type").has_value() ||
         annotation("io.kubernetes.cri-o.ContainerType").has_value() ||
         annotation("io.kubernetes.docker.type").has_value();
}

Result<ContainerView> view(const Document& document) {
  ContainerView view;
  const JsonRef root = document.root();
  HAMI_TRY(view.annotations, string_map_member(root, "annotations"));
  HAMI_CHECK(read_process(root, view));
  HAMI_CHECK(read_root(root, view));
  HAMI_CHECK(read_mounts(root, view));
  HAMI_CHECK(read_linux(root, view));
  return view;
}

}  // namespace hami::oci
