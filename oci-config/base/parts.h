// Numbered parts of one device: compute units, cores.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hami {

inline constexpr std::size_t kMaxParts = 512;
using Parts = std::bitset<kMaxParts>;

// "0-35,60": ranges in ascending order, each number raised by `base`; "" for none.
[[nodiscard]] std::string list_parts(const Parts& parts, std::uint32_t base = 0);

// What list_parts wrote with base 0. nullopt on anything else, and on numbers that are no part.
[[nodiscard]] std::optional<Parts> parse_parts(std::string_view text);

// Bits 64 * `index` and following.
[[nodiscard]] std::uint64_t word_of_parts(const Parts& parts, std::size_t index);

}  // namespace hami
