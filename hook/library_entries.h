// What the container's loader has to know of the libraries it was given.
#pragma once

#include <string>
#include <vector>

#include "hook/cache_patch.h"
#include "hook/root.h"
#include "oci-config/base/result.h"
#include "vendors/hook_plan.h"

namespace hami::hook {

// Makes the link each of `libraries` (paths in the container) is asked for by, from its DT_SONAME, as
// ldconfig does, and returns the entries of the loader's cache: that name, and the names of those `links`
// that lead to it. What is missing or no library is left out. On a file system that cannot be written the
// entries name the files themselves.
[[nodiscard]] Result<std::vector<CacheEntry>> library_entries(const Root& root,
                                                              const std::vector<std::string>& libraries,
                                                              const std::vector<vendors::Link>& links);

}  // namespace hami::hook
