#include <json-c/json.h>

#include "runtime-shim/schedulers/json_writer.h"

namespace hami::schedulers {

json_object* json_text(std::string_view value) {
  return json_object_new_string_len(value.data(), static_cast<int>(value.size()));
}

void add_text(json_object* object, const char* name, std::string_view value) {
  json_object_object_add(object, name, json_text(value));
}

void add_number(json_object* object, const char* name, std::int64_t value) {
  json_object_object_add(object, name, json_object_new_int64(value));
}

void add_text_unless_empty(json_object* object, const char* name, std::string_view value) {
  if (!value.empty()) add_text(object, name, value);
}

void add_number_unless_zero(json_object* object, const char* name, std::int64_t value) {
  if (value != 0) add_number(object, name, value);
}

std::string written(json_object* value) {
  return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

}  // namespace hami::schedulers
