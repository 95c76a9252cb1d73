// Typed steps into a json-c tree, for the files that read or edit OCI documents. Errors name the member by
// its path.
#pragma once

#include <json-c/json.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/document.h"

namespace hami::oci {

// Owner of a value that json-c has just made. Ends the program when `fresh` is null, as operator new does in
// programs without exceptions: json-c reports exhausted memory in no other way.
[[nodiscard]] JsonPtr made(JsonRef fresh);
void end_if_out_of_memory(bool failed);

// A JSON string; NUL bytes are kept.
[[nodiscard]] JsonPtr new_string(std::string_view value);

// The member, or null when it is absent or JSON null. `object` may be null.
[[nodiscard]] JsonRef member(JsonRef object, const char* name);

// The same, but of one type: object, array or string. Null when absent; invalid_spec when of another type.
[[nodiscard]] Result<JsonRef> member_of(JsonRef object, const char* name, json_type type,
                                        std::string_view path);

// Text of a JSON string, NUL bytes included. `value` must be a string; the view lives as long as it.
[[nodiscard]] std::string_view view_of(JsonRef value);
[[nodiscard]] std::string text_of(JsonRef value);

// The string member, or nullopt when absent.
[[nodiscard]] Result<std::optional<std::string>> string_member(JsonRef object, const char* name,
                                                               std::string_view path);

// An unsigned 32-bit member, or `fallback` when absent.
[[nodiscard]] Result<std::uint32_t> u32_member(JsonRef object, const char* name, std::uint32_t fallback,
                                               std::string_view path);

// A member of the top object whose members are all strings; empty when absent.
[[nodiscard]] Result<std::map<std::string, std::string>> string_map_member(JsonRef root, const char* name);

// "process.env[3]": the path of an element, for messages.
[[nodiscard]] std::string element_path(std::string_view path, std::size_t index);

// The error for a member of the wrong type.
[[nodiscard]] tl::unexpected<Error> wrong_type(std::string_view path, std::string_view expected);

}  // namespace hami::oci
