// Which low-level runtimes are looked for by default, and where, in this order. Arrays of characters, not of
// pointers: they are also read before the program is relocated.
#pragma once

namespace hami::shim {

inline constexpr char kDefaultPrograms[][8] = {"runc", "crun"};
inline constexpr char kProgramDirs[][24] = {"/usr/bin",        "/usr/sbin", "/usr/local/bin",
                                            "/usr/local/sbin", "/bin",      "/sbin"};

}  // namespace hami::shim
