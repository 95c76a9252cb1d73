// What the createContainer hook does inside the container: the part of a rendered recipe that config.json
// cannot describe. Written by hami-runtime, read by hami-hook.
#pragma once

#include <string>
#include <vector>

namespace hami::vendors {

// A symbolic link the hook makes inside the container.
struct Link {
  std::string path;
  std::string target;
  friend bool operator==(const Link&, const Link&) = default;
};

// A line of a /proc file that the container must see changed.
struct ProcOverride {
  std::string path;
  std::string match;    // a whole line
  std::string replace;  // the line shown instead
  friend bool operator==(const ProcOverride&, const ProcOverride&) = default;
};

// What needs the container's mount namespace.
struct HookPlan {
  std::vector<Link> links;
  std::vector<std::string> ldcache_dirs;  // container directories whose libraries must be found by the loader
  std::vector<std::string> libraries;     // files in some of them; one that holds none of these is searched
  std::vector<ProcOverride> proc_overrides;
  [[nodiscard]] bool empty() const { return links.empty() && ldcache_dirs.empty() && proc_overrides.empty(); }
  friend bool operator==(const HookPlan&, const HookPlan&) = default;
};

}  // namespace hami::vendors
