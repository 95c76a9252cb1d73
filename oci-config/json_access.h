// Typed steps into a json-c tree, for the files that read or edit OCI documents. Errors name the member by
// its path.
#pragma once

#include <json-c/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/document.h"

namespace hami::oci {

// The member, or null when it is absent or JSON null. `object` may be null.
[[nodiscard]] JsonRef member(JsonRef object, const char* name);

// The same, but of one type: object, array or string. Null when absent; invalid_spec when of another type.
[[nodiscard]] Result<JsonRef> member_of(JsonRef object, const char* name, json_type type,
                                        std::string_view path);

// Text of a JSON string, NUL bytes included. `value` must be a string.
[[nodiscard]] std::string text_of(JsonRef value);

// The string member, or nullopt when absent.
[[nodiscard]] Result<std::optional<std::string>> string_member(JsonRef object, const char* name,
                                                               std::string_view path);

// An unsigned 32-bit member, or `fallback` when absent.
[[nodiscard]] Result<std::uint32_t> u32_member(JsonRef object, const char* name, std::uint32_t fallback,
                                               std::string_view path);

// "process.env[3]": the path of an element, for messages.
[[nodiscard]] std::string element_path(std::string_view path, std::size_t index);

// The error for a member of the wrong type.
[[nodiscard]] tl::unexpected<Error> wrong_type(std::string_view path, std::string_view expected);

}  // namespace hami::oci
