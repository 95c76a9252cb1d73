// Runs a program that may crash or hang, and keeps what it prints.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

inline constexpr std::size_t kMaxProbeOutput = 1U << 20U;

// Standard output of `program` (absolute path) with `args`. It runs in a session of its own, with PATH and
// LC_ALL only, no descriptor of ours but `input`, if there is one, as its standard input (a lock held by it
// is held until the program is gone, whatever becomes of us), and is killed with its children after
// `timeout_ms` and when we die. Fails with not_found when there is no such program, with io when it fails,
// crashes (naming the signal), prints too much or takes too long; the message ends with the last line it
// wrote to standard error.
[[nodiscard]] Result<std::string> run_probe(const std::string& program, const std::vector<std::string>& args,
                                            int timeout_ms, int input = -1);

}  // namespace hami::vendors
