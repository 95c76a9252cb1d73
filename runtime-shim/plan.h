// Allocation + recipes → what to change in config.json and what to put into the container's directory.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "libvgpu/abi/slice.h"
#include "oci-config/base/result.h"
#include "oci-config/edits.h"
#include "runtime-shim/allocation.h"
#include "runtime-shim/config.h"
#include "runtime-shim/container/image.h"
#include "vendors/hook_plan.h"
#include "vendors/render.h"

namespace hami::shim {

// Says in config.json that it carries our edits; the value is for people.
inline constexpr const char* kAllocatedAnnotation = "hami.io/allocated";

// The container a plan is for.
struct Container {
  std::string key;     // state::lease_key
  std::string dir;     // <state>/containers/<key>
  std::string rootfs;  // absolute
  oci::ContainerView view;
  Image image;
};

struct Plan {
  oci::ContainerEdits edits;
  vendors::HookPlan hook;
  std::optional<abi::SliceFile> slice;  // sealed; none when nothing has to be held back
  std::vector<std::string> files;       // contents of file0, file1, … in the container's directory
  std::vector<std::string>
      refused_syscalls;                     // that recipes name for this container, and policy does not allow
  bool has_board = false;                   // it tells its neighbours on the card what it does
  std::vector<std::string> vendor_preload;  // libraries that recipes want loaded first
  std::string preload;  // content of the container's /etc/ld.so.preload; empty: it stays as it is
};

// The grant as the recipe engine takes it.
[[nodiscard]] vendors::Slice slice_of(const Grant& grant);

// Reads host files below the recipes' roots, writes nothing. `node` has one entry per vendor of the request.
// Fails with denied when the slice could not be held in this image and policy refuses such containers, with
// not_found when a file of the driver or of ours is missing.
[[nodiscard]] Result<Plan> make_plan(const Request& request, const Allocation& allocation,
                                     const std::vector<VendorNode>& node, const Container& container,
                                     const Config& config);

// Makes the container's directory (0700): slice (0644), usage page (0666), ld.so.preload (0644), files of the
// recipes (0644), plan.json (0600). With a `reader` (see reader_group) that group may also enter the
// directory (0750) and read the plan (0640), and everybody may pass through the two directories above it.
// Everything the plan does not need is left out. A directory that is there is replaced.
[[nodiscard]] Result<> write_container_dir(const Plan& plan, const std::string& dir,
                                           std::optional<gid_t> reader);

}  // namespace hami::shim
