#include "oci-config/apply_mounts.h"

#include <algorithm>
#include <map>
#include <string>

#include "oci-config/base/text.h"
#include "oci-config/json_edit.h"
#include "oci-config/paths.h"

namespace hami::oci {

namespace {

// Ours by their place, in the order in which they are mounted: "/a" sorts before "/a/b", and the other way
// round the directory would hide the file in it. Of two at one place the last one counts.
using Places = std::map<std::string, const Mount*>;

Places place(const std::vector<Mount>& mounts) {
  Places places;
  for (const Mount& mount : mounts) places.insert_or_assign(normal_path(mount.destination), &mount);
  return places;
}

JsonPtr mount_object(const Mount& mount) {
  JsonPtr object = made(json_object_new_object());
  put(object.get(), "destination", new_string(mount.destination));
  if (!mount.type.empty()) put(object.get(), "type", new_string(mount.type));
  put(object.get(), "source", new_string(mount.source));
  put(object.get(), "options", new_list(mount.options));
  return object;
}

// Where an element of `mounts` goes; empty when it does not say, which the runtime will refuse.
std::string path_of(JsonRef mount) {
  const JsonRef destination = member(mount, "destination");
  if (destination == nullptr || !json_object_is_type(destination, json_type_string)) return {};
  return normal_path(view_of(destination));
}

bool is_ours(JsonRef mount, const std::string& path, const Places& ours) {
  const auto at = ours.find(path);
  return at != ours.end() && has_text(mount, "source", at->second->source);
}

// Ours come last and so would hide theirs; the user should hear of it rather than wonder.
Result<> refuse_overlap(JsonRef mounts, const Places& ours) {
  for (std::size_t i = 0; i < json_object_array_length(mounts); ++i) {
    const JsonRef theirs = json_object_array_get_idx(mounts, i);
    const std::string path = path_of(theirs);
    const auto hidden = std::find_if(ours.begin(), ours.end(),
                                     [&](const auto& our) { return is_at_or_below(path, our.first); });
    if (hidden == ours.end() || is_ours(theirs, path, ours)) continue;
    HAMI_TRY(const auto source, string_member(theirs, "source", element_path("mounts", i)));
    return fail(Errc::invalid_request,
                text::cat({"the container mounts ", text::quote(source.value_or("")), " at ",
                           text::quote(path), ", where ", text::quote(hidden->first), " must be"}),
                "remove that mount from the container");
  }
  return {};
}

}  // namespace

Result<> remove_mounts(JsonRef root, const std::vector<Mount>& dropped) {
  if (dropped.empty()) return {};
  HAMI_TRY(const JsonRef mounts, ensure(root, "mounts", json_type_array, ""));
  remove_if(mounts, [&](JsonRef theirs) {
    return std::any_of(dropped.begin(), dropped.end(), [&](const Mount& mount) {
      return has_text(theirs, "destination", mount.destination) && has_text(theirs, "source", mount.source);
    });
  });
  return {};
}

Result<> apply_mounts(JsonRef root, const std::vector<Mount>& ours) {
  if (ours.empty()) return {};
  HAMI_TRY(const JsonRef mounts, ensure(root, "mounts", json_type_array, ""));
  const Places places = place(ours);
  HAMI_CHECK(refuse_overlap(mounts, places));
  remove_if(mounts, [&](JsonRef theirs) { return is_ours(theirs, path_of(theirs), places); });
  for (const auto& [path, mount] : places) append(mounts, mount_object(*mount));
  return {};
}

}  // namespace hami::oci
