// [runtime] low_level, found in the text of config.toml without a TOML parser: for the subcommands that only
// pass through, where every microsecond counts and a mistake elsewhere in the file must not matter. No
// allocation and no system call: the same code runs before the C library is set up.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace hami::shim {

struct LowLevelKey {
  enum class Kind {
    absent,   // not set: the default counts
    simple,   // one line with one text or a list of texts
    complex,  // set in a way that only a TOML parser can read
  };
  Kind kind = Kind::absent;
  std::array<std::string_view, 8> programs{};
  std::ptrdiff_t count = 0;
};

// Views into `toml`. Agrees with the parser on every file that the parser accepts, or says complex.
[[nodiscard]] LowLevelKey find_low_level_key(std::string_view toml) noexcept;

}  // namespace hami::shim
