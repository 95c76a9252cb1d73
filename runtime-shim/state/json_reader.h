// Typed steps into the JSON files of this folder. Only for its *_json.cc files.
#pragma once

#include <json-c/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hami::state {

struct Put {
  void operator()(json_object* object) const noexcept { json_object_put(object); }
};
using Json = std::unique_ptr<json_object, Put>;

struct TokenerFree {
  void operator()(json_tokener* tokener) const noexcept { json_tokener_free(tokener); }
};

inline void add_text(json_object* object, const char* name, const std::string& value) {
  json_object_object_add(object, name,
                         json_object_new_string_len(value.data(), static_cast<int>(value.size())));
}

inline void add_number(json_object* object, const char* name, std::uint64_t value) {
  json_object_object_add(object, name, json_object_new_uint64(value));
}

// Indented, with a final newline.
inline std::string written(json_object* object) {
  return std::string(json_object_to_json_string_ext(
             object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)) +
         "\n";
}

// Null when the text is not JSON.
inline Json parsed(std::string_view text) {
  const std::unique_ptr<json_tokener, TokenerFree> tokener(json_tokener_new_ex(16));
  return Json(json_tokener_parse_ex(tokener.get(), text.data(), static_cast<int>(text.size())));
}

// Reads the members of one object and remembers the first thing that was wrong.
class Reader {
 public:
  explicit Reader(json_object* object) : object_(object) {}

  std::string text(const char* name) {
    json_object* value = get(name, json_type_string);
    if (value == nullptr) return {};
    return {json_object_get_string(value), static_cast<std::size_t>(json_object_get_string_len(value))};
  }

  std::uint64_t number(const char* name, std::uint64_t max = UINT64_MAX) {
    json_object* value = get(name, json_type_int);
    if (value == nullptr) return 0;
    const bool negative = json_object_get_int64(value) < 0;
    const std::uint64_t number = json_object_get_uint64(value);
    if (negative || number > max) wrong(name);
    return number;
  }

  // Empty when it is not there.
  std::string text_or_empty(const char* name) {
    return json_object_object_get_ex(object_, name, nullptr) != 0 ? text(name) : std::string();
  }

  // 0 when it is not there.
  std::uint64_t number_or_0(const char* name, std::uint64_t max = UINT64_MAX) {
    return json_object_object_get_ex(object_, name, nullptr) != 0 ? number(name, max) : 0;
  }

  bool flag(const char* name) {
    json_object* value = get(name, json_type_boolean);
    return value != nullptr && json_object_get_boolean(value) != 0;
  }

  // False when it is not there.
  bool flag_or_false(const char* name) {
    return json_object_object_get_ex(object_, name, nullptr) != 0 && flag(name);
  }

  json_object* array(const char* name) { return get(name, json_type_array); }

  [[nodiscard]] const std::optional<std::string>& wrong_member() const { return wrong_; }

 private:
  json_object* get(const char* name, json_type type) {
    json_object* value = nullptr;
    json_object_object_get_ex(object_, name, &value);
    if (value != nullptr && json_object_is_type(value, type)) return value;
    wrong(name);
    return nullptr;
  }

  void wrong(const char* name) {
    if (!wrong_) wrong_ = name;
  }

  json_object* object_;
  std::optional<std::string> wrong_;
};

}  // namespace hami::state
