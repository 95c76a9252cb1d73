// Small text functions that the standard library of C++20 lacks. No locale, no allocation surprises.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace hami::text {

// All parts joined, one allocation.
[[nodiscard]] std::string cat(std::initializer_list<std::string_view> parts);

// `value` in single quotes; control characters and quotes escaped (\n, \x1b, \'), cut after `max` bytes
// with "…". For paths and user text in messages: a tenant's text cannot forge a second log line.
[[nodiscard]] std::string quote(std::string_view value, std::size_t max = 200);

// Parts between separators, empty parts included; "" gives one empty part. Views into `value`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view value, char separator);

// Without leading and trailing blanks (space, tab, CR, LF).
[[nodiscard]] std::string_view trim(std::string_view value);

// Parts joined by `separator`.
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);

// ASCII lower case copy.
[[nodiscard]] std::string lower(std::string_view value);

// The whole of `value` as an unsigned decimal number; nothing else is accepted (no sign, no blank, no
// prefix, no fraction). nullopt on any other text and on overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_u64(std::string_view value);

// `value` as decimal digits.
[[nodiscard]] std::string number(std::uint64_t value);

// Length in bytes of the valid UTF-8 sequence at the start of `value` (not empty); 0 when there is none.
// Source: RFC 3629 (no overlong forms, no surrogates, nothing above U+10FFFF).
[[nodiscard]] std::size_t utf8_length(std::string_view value);

// 64-bit FNV-1a, for short stable names; not for security.
[[nodiscard]] std::uint64_t fnv1a(std::string_view value);

// 16 lower case hexadecimal digits.
[[nodiscard]] std::string hex64(std::uint64_t value);

}  // namespace hami::text
