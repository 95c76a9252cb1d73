// Numbers as HAMi's decoders take them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hami::schedulers {

// An optional sign and decimal digits, within 32 bits; no blank, no prefix.
[[nodiscard]] std::optional<std::int32_t> parse_int32(std::string_view text);

}  // namespace hami::schedulers
