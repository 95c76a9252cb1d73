#include "oci-config/json_edit.h"

namespace hami::oci {

JsonPtr new_int(std::int64_t value) { return made(json_object_new_int64(value)); }

JsonPtr new_list(const std::vector<std::string>& values) {
  JsonPtr list = made(json_object_new_array());
  for (const auto& value : values) append(list.get(), new_string(value));
  return list;
}

void put(JsonRef object, const char* name, JsonPtr value) {
  end_if_out_of_memory(json_object_object_add(object, name, value.release()) != 0);
}

void append(JsonRef array, JsonPtr value) {
  end_if_out_of_memory(json_object_array_add(array, value.release()) != 0);
}

Result<JsonRef> ensure(JsonRef parent, const char* name, json_type type, std::string_view path) {
  HAMI_TRY(const JsonRef existing, member_of(parent, name, type, path));
  if (existing != nullptr) return existing;
  JsonPtr fresh = made(type == json_type_array ? json_object_new_array() : json_object_new_object());
  const JsonRef borrowed = fresh.get();
  put(parent, name, std::move(fresh));
  return borrowed;
}

bool is_text(JsonRef value, std::string_view expected) {
  return json_object_is_type(value, json_type_string) && view_of(value) == expected;
}

bool has_text(JsonRef object, const char* name, std::string_view expected) {
  const JsonRef value = member(object, name);
  return value != nullptr && is_text(value, expected);
}

bool has_int(JsonRef object, const char* name, std::int64_t expected) {
  const JsonRef value = member(object, name);
  return value != nullptr && json_object_is_type(value, json_type_int) &&
         json_object_get_int64(value) == expected;
}

}  // namespace hami::oci
