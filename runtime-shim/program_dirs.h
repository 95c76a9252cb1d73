// Where the low-level runtime is looked for, in this order. Also used before the C library runs: plain data.
#pragma once

namespace hami::shim {

inline constexpr const char* kProgramDirs[] = {"/usr/bin",        "/usr/sbin", "/usr/local/bin",
                                               "/usr/local/sbin", "/bin",      "/sbin"};

}  // namespace hami::shim
