#include "oci-config/json_access.h"

#include <cstdlib>

#include "oci-config/base/text.h"

namespace hami::oci {

namespace {

std::string_view type_name(json_type type) {
  switch (type) {
    case json_type_object:
      return "an object";
    case json_type_array:
      return "an array";
    case json_type_string:
      return "a string";
    case json_type_boolean:
      return "true or false";
    case json_type_int:
      return "an integer";
    case json_type_double:
      return "a number";
    case json_type_null:
      return "null";
  }
  return "a value";
}

std::string join_path(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : text::cat({path, ".", name});
}

}  // namespace

void end_if_out_of_memory(bool failed) {
  if (failed) std::abort();
}

JsonPtr made(JsonRef fresh) {
  end_if_out_of_memory(fresh == nullptr);
  return JsonPtr(fresh);
}

JsonPtr new_string(std::string_view value) {
  return made(json_object_new_string_len(value.data(), static_cast<int>(value.size())));
}

JsonRef member(JsonRef object, const char* name) {
  JsonRef value = nullptr;
  if (object == nullptr || !json_object_is_type(object, json_type_object)) return nullptr;
  json_object_object_get_ex(object, name, &value);
  return value;
}

Result<JsonRef> member_of(JsonRef object, const char* name, json_type type, std::string_view path) {
  const JsonRef value = member(object, name);
  if (value == nullptr || json_object_is_type(value, type)) return value;
  return wrong_type(join_path(path, name), type_name(type));
}

std::string_view view_of(JsonRef value) {
  return {json_object_get_string(value), static_cast<std::size_t>(json_object_get_string_len(value))};
}

std::string text_of(JsonRef value) { return std::string(view_of(value)); }

Result<std::optional<std::string>> string_member(JsonRef object, const char* name, std::string_view path) {
  HAMI_TRY(const JsonRef value, member_of(object, name, json_type_string, path));
  if (value == nullptr) return std::optional<std::string>{};
  return std::optional<std::string>{text_of(value)};
}

Result<std::uint32_t> u32_member(JsonRef object, const char* name, std::uint32_t fallback,
                                 std::string_view path) {
  HAMI_TRY(const JsonRef value, member_of(object, name, json_type_int, path));
  if (value == nullptr) return fallback;
  const std::int64_t number = json_object_get_int64(value);
  if (number < 0 || number > UINT32_MAX) return wrong_type(join_path(path, name), "between 0 and 4294967295");
  return static_cast<std::uint32_t>(number);
}

Result<std::map<std::string, std::string>> string_map_member(JsonRef root, const char* name) {
  std::map<std::string, std::string> out;
  HAMI_TRY(const JsonRef object, member_of(root, name, json_type_object, ""));
  if (object == nullptr) return out;
  json_object_object_foreach(object, key, value) {
    if (!json_object_is_type(value, json_type_string)) {
      return wrong_type(text::cat({name, ".", text::quote(key)}), "a string");
    }
    out.emplace(key, text_of(value));
  }
  return out;
}

std::string element_path(std::string_view path, std::size_t index) {
  return text::cat({path, "[", text::number(index), "]"});
}

tl::unexpected<Error> wrong_type(std::string_view path, std::string_view expected) {
  return fail(Errc::invalid_spec, text::cat({path, " is not ", expected}));
}

}  // namespace hami::oci
