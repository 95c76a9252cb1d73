// The way from "io.containerd.hami.v2" to the stock runc shim: the same shim, with our runc first in its
// PATH.
//
// Source: containerd, runtime/v2 (shim start protocol): the shim's stdout and stderr are read together as an
// address, so nothing may be printed on success; standard input carries the runtime options.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::containerd {

// The directory that holds `runc` → hami-runtime, put first in the shim's PATH.
inline constexpr const char* kShimPath = "/usr/lib/hami/shim-path";

// Where containerd-shim-runc-v2 may be, best first: beside the containerd binary that calls
// (-publish-binary), each directory of `path`, then the usual places.
[[nodiscard]] std::vector<std::string> shim_candidates(std::span<const char* const> argv,
                                                       std::string_view path);

// The first candidate that is an executable file and is not this program. not_found names what was looked
// for.
[[nodiscard]] Result<std::string> find_stock_shim(const std::vector<std::string>& candidates);

// `path` with kShimPath in front, once.
[[nodiscard]] std::string with_shim_path(std::string_view path);

// True when `options`, the bytes of standard input, hold an options table of a CRI handler: containerd
// encodes it as a type the stock shim does not know for any runtime_type but its own, and every Pod would
// fail.
[[nodiscard]] bool carries_unusable_options(std::string_view options);

// Reads standard input to its end and returns an unnamed file with the same bytes, to become the shim's.
[[nodiscard]] Result<UniqueFd> keep_input(const std::string& bytes);

}  // namespace hami::containerd
