// Devices of the Container Device Interface that other people's specifications describe: qualified names →
// edits. Specifications are read as something hostile: a file, or a directory, that others than root can
// change is refused, and so is everything that would hand the host itself to a container.
// Source: the CDI specification; the order of edits is that of its reference library.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/edits.h"
#include "oci-config/view.h"

namespace hami::vendors {

// Where engines look too; a later directory counts more.
inline const std::vector<std::string> kCdiDirectories{"/etc/cdi", "/run/cdi"};

struct CdiHost {
  std::vector<std::string> directories = kCdiDirectories;
  std::string dev_root = "/";  // device nodes are at <dev_root>/dev/…
  std::string hook;            // the only program that a specification may make a hook of: ours
};

// To know what a device is, its hooks and what only an engine can give do not matter.
enum class CdiUse { giving, comparing };

// "vendor.com/class=name": a name that a specification can resolve.
[[nodiscard]] bool is_cdi_name(std::string_view text);

// The edits of these devices, those of a specification itself once. All names or none: fails with not_found
// naming every one that no specification has, and the files that could not be read; with denied for what must
// not be given; with invalid_config for two specifications of one directory that have the same name.
[[nodiscard]] Result<oci::ContainerEdits> inject_cdi(const std::vector<std::string>& names,
                                                     const CdiHost& host, CdiUse use = CdiUse::giving);

// True when the container already has every node and mount of these edits: an engine put them there.
[[nodiscard]] bool has_all(const oci::ContainerView& container, const oci::ContainerEdits& edits);

}  // namespace hami::vendors
