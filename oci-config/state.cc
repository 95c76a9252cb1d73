#include "oci-config/state.h"

#include "oci-config/base/text.h"
#include "oci-config/json_access.h"

namespace hami::oci {

Result<HookState> parse_state(std::string_view text) {
  if (text.size() > kMaxStateBytes)
    return fail(Errc::invalid_spec, "the container state is larger than 1 MiB");
  HAMI_TRY(const Document document, Document::parse(text));
  const JsonRef root = document.root();
  HookState state;
  HAMI_TRY(auto version, string_member(root, "ociVersion", ""));
  HAMI_TRY(auto id, string_member(root, "id", ""));
  HAMI_TRY(auto status, string_member(root, "status", ""));
  HAMI_TRY(auto bundle, string_member(root, "bundle", ""));
  HAMI_TRY(auto rootfs, string_member(root, "root", ""));
  if (!id || id->empty()) return fail(Errc::invalid_spec, "the container state has no id");
  if (!bundle || bundle->empty()) return fail(Errc::invalid_spec, "the container state has no bundle");
  state.oci_version = version.value_or("");
  state.id = *std::move(id);
  state.status = status.value_or("");
  state.bundle = *std::move(bundle);
  state.root = rootfs.value_or("");

  HAMI_TRY(const JsonRef pid, member_of(root, "pid", json_type_int, ""));
  if (pid != nullptr) state.pid = json_object_get_int(pid);
  HAMI_TRY(const JsonRef annotations, member_of(root, "annotations", json_type_object, ""));
  if (annotations == nullptr) return state;
  json_object_object_foreach(annotations, key, value) {
    if (!json_object_is_type(value, json_type_string)) {
      return wrong_type(text::cat({"annotations.", text::quote(key)}), "a string");
    }
    state.annotations.emplace(key, text_of(value));
  }
  return state;
}

}  // namespace hami::oci
