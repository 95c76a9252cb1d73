#include "oci-config/state.h"

#include <climits>

#include "oci-config/base/text.h"
#include "oci-config/json_access.h"

namespace hami::oci {

namespace {

// A member that must be there and say something.
Result<std::string> required(JsonRef root, const char* name) {
  HAMI_TRY(auto value, string_member(root, name, ""));
  if (value && !value->empty()) return *std::move(value);
  return fail(Errc::invalid_spec, text::cat({name, " is missing"}));
}

Result<std::string> optional(JsonRef root, const char* name) {
  HAMI_TRY(auto value, string_member(root, name, ""));
  return std::move(value).value_or("");
}

Result<int> read_pid(JsonRef root) {
  HAMI_TRY(const std::uint32_t pid, u32_member(root, "pid", 0, ""));
  if (pid > INT_MAX) return wrong_type("pid", "a process number");
  return static_cast<int>(pid);
}

Result<HookState> read_state(std::string_view text) {
  if (text.size() > kMaxStateBytes) return fail(Errc::invalid_spec, "larger than 1 MiB");
  HAMI_TRY(const Document document, Document::parse(text));
  const JsonRef root = document.root();
  HookState state;
  HAMI_TRY(state.oci_version, optional(root, "ociVersion"));
  HAMI_TRY(state.id, required(root, "id"));
  HAMI_TRY(state.status, optional(root, "status"));
  HAMI_TRY(state.bundle, required(root, "bundle"));
  HAMI_TRY(state.root, optional(root, "root"));
  HAMI_TRY(state.pid, read_pid(root));
  HAMI_TRY(state.annotations, string_map_member(root, "annotations"));
  return state;
}

}  // namespace

Result<HookState> parse_state(std::string_view text) {
  auto state = read_state(text);
  if (!state) return fail(std::move(state).error().within("read the container state"));
  return state;
}

}  // namespace hami::oci
