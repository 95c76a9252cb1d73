// The loader cache of a container, made by the host's ldconfig locked into the container's root.
#pragma once

#include <string>
#include <vector>

#include "hook/root.h"
#include "oci-config/base/result.h"
#include "vendors/hook_plan.h"

namespace hami::hook {

// Where ldconfig is on the host; the first that is a program counts. Ubuntu's /sbin/ldconfig is a script.
[[nodiscard]] const std::vector<std::string>& ldconfig_candidates();

// The configuration ldconfig runs with: `directories` first, what the image configures, then the loader's
// default directories of the common distributions, since a foreign ldconfig knows only its own.
[[nodiscard]] std::string loader_configuration(const std::vector<std::string>& directories);

// True when the loader of every distribution with this directory looks there without a cache.
[[nodiscard]] bool is_default_directory(const std::string& directory);

// Makes the libraries of the plan known to the container's loader. Where all of them are named and the image
// has a cache, they are added to it; otherwise ldconfig makes a new one of the plan's directories and the
// image's. The image's own ldconfig is never run; ours has no capabilities, no way out of the root, and 10
// seconds. An image without a glibc loader and without a cache is left alone: nothing would read one. When
// the cache file cannot be replaced, the new one is mounted over it.
[[nodiscard]] Result<> update_ldcache(const Root& root, const vendors::HookPlan& plan,
                                      const std::vector<std::string>& ldconfig = ldconfig_candidates());

}  // namespace hami::hook
