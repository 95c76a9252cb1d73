#include "runtime-shim/state/claims_json.h"

#include "runtime-shim/state/json_reader.h"

namespace hami::state {

std::string to_json(const PodClaims& claims) {
  const Json root(json_object_new_object());
  add_text(root.get(), "pod", claims.pod);
  add_text(root.get(), "sandbox", claims.sandbox);
  add_text(root.get(), "engineRoot", claims.engine_root);
  json_object* list = json_object_new_array();
  for (const Claim& claim : claims.claims) {
    json_object* object = json_object_new_object();
    add_text(object, "annotation", claim.annotation);
    add_number(object, "group", claim.group);
    add_text(object, "container", claim.container);
    json_object_array_add(list, object);
  }
  json_object_object_add(root.get(), "claims", list);
  return written(root.get());
}

Result<PodClaims> parse_claims(std::string_view text) {
  const Json root = parsed(text);
  if (!json_object_is_type(root.get(), json_type_object)) return fail(Errc::io, "not a JSON object");
  Reader reader(root.get());
  PodClaims out;
  out.pod = reader.text("pod");
  out.sandbox = reader.text("sandbox");
  out.engine_root = reader.text("engineRoot");
  json_object* list = reader.array("claims");
  for (std::size_t i = 0; list != nullptr && i < json_object_array_length(list); ++i) {
    json_object* object = json_object_array_get_idx(list, i);
    if (!json_object_is_type(object, json_type_object)) return fail(Errc::io, "member 'claims' is wrong");
    Reader entry(object);
    Claim claim;
    claim.annotation = entry.text("annotation");
    claim.group = entry.number("group", UINT32_MAX);
    claim.container = entry.text("container");
    if (entry.wrong_member()) return fail(Errc::io, "member 'claims' is wrong");
    out.claims.push_back(std::move(claim));
  }
  if (reader.wrong_member()) return fail(Errc::io, "a member is missing or wrong");
  return out;
}

}  // namespace hami::state
