// Writing what json_reader.h reads. Only for the *_json.cc files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct json_object;

namespace hami::schedulers {

// A new text, which the object or array that it is added to owns.
[[nodiscard]] json_object* json_text(std::string_view value);

// Adds a member to an object.
void add_text(json_object* object, const char* name, std::string_view value);
void add_number(json_object* object, const char* name, std::int64_t value);

// The same for members that Go's encoder leaves out when they are empty or zero.
void add_text_unless_empty(json_object* object, const char* name, std::string_view value);
void add_number_unless_zero(json_object* object, const char* name, std::int64_t value);

// On one line, without spaces.
[[nodiscard]] std::string written(json_object* value);

}  // namespace hami::schedulers
