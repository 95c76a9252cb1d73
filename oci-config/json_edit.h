// Steps that change a json-c tree, for the files that edit OCI documents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/json_access.h"

namespace hami::oci {

[[nodiscard]] JsonPtr new_int(std::int64_t value);
[[nodiscard]] JsonPtr new_list(const std::vector<std::string>& values);

// Sets a member; one that exists keeps its place among the others.
void put(JsonRef object, const char* name, JsonPtr value);

// Adds an element at the end.
void append(JsonRef array, JsonPtr value);

// The member `name` of `parent`, created when absent or null. Fails with invalid_spec when it has another
// type; `type` is that of an object or of an array, `path` is the parent's, for the message.
[[nodiscard]] Result<JsonRef> ensure(JsonRef parent, const char* name, json_type type, std::string_view path);

// Whether `object` has a member with this text or this integer.
[[nodiscard]] bool has_text(JsonRef object, const char* name, std::string_view expected);
[[nodiscard]] bool has_int(JsonRef object, const char* name, std::int64_t expected);

// Whether `value` is a string with this text.
[[nodiscard]] bool is_text(JsonRef value, std::string_view expected);

// Removes the elements for which `matches` is true; the others keep their order. One pass: an array can be as
// long as a document.
template <typename Matches>
void remove_if(JsonRef array, Matches matches) {
  const std::size_t count = json_object_array_length(array);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const JsonRef item = json_object_array_get_idx(array, i);
    if (matches(item)) continue;
    if (kept != i) json_object_array_put_idx(array, kept, json_object_get(item));
    ++kept;
  }
  if (kept != count) json_object_array_del_idx(array, kept, count - kept);
}

}  // namespace hami::oci
