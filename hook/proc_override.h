// Lines of /proc files that a container must see changed.
#pragma once

#include <string>
#include <string_view>

#include "hook/root.h"
#include "oci-config/base/result.h"
#include "vendors/hook_plan.h"

namespace hami::hook {

// `content` with every line that equals `match` replaced; the same text when there is none.
[[nodiscard]] std::string replace_line(std::string_view content, std::string_view match,
                                       std::string_view replace);

// Mounts an edited copy over the file, read-only. Nothing to do when the file does not exist or has no such
// line, so a second run, or another toolkit's override before ours, is fine. Fails with denied when a
// component of the path is a link or the file with that line is not on a procfs: then it is the image's, not
// the kernel's.
[[nodiscard]] Result<> override_proc_file(const Root& root, const vendors::ProcOverride& item);

}  // namespace hami::hook
