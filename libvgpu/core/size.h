// The grammar of a memory size in an environment variable.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hami::vgpu {

// Bytes of `text`: digits, an optional decimal fraction, an optional unit k, m, g or t (also Ki, KiB, KB; all
// of them powers of 1024, as HAMi writes them), blanks around and between. Anything else, a fraction of a
// byte's unit and a value of 2^63 or more give nothing: a limit that cannot be read must not become "no
// limit".
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

}  // namespace hami::vgpu
