// Text of the host → values of a type a recipe may rely on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vendors/recipe.h"

namespace hami::vendors {

// `text` as a value of `type`: its first word; for a version the first word that looks like one ("for x86_64
// 550.90.07"), for text the whole trimmed line. Nothing when there is none; a UUID with '?' is none.
[[nodiscard]] std::optional<std::string> typed_value(ValueType type, std::string_view text);

// What follows "<key>:" on its line; nothing without such a line.
[[nodiscard]] std::optional<std::string_view> value_of_key(std::string_view text, std::string_view key);

// What follows the first occurrence of `marker` on its line.
[[nodiscard]] std::optional<std::string_view> text_after(std::string_view text, std::string_view marker);

// A PCI address in the kernel's spelling: "00000000:3B:00.0" → "0000:3b:00.0". Other text as it is, in lower
// case.
[[nodiscard]] std::string normal_bdf(std::string_view bdf);

}  // namespace hami::vendors
