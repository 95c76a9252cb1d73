// Lists of files that a node's administrator keeps for containers, in the form that NVIDIA's L4T installs
// them: a line each, "<type>, <path>". Source: the CSV files of nvidia-container-toolkit's mode for Tegra.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

enum class ListedKind { device, file, directory, symlink };

struct Listed {
  ListedKind kind = ListedKind::file;
  std::string path;      // absolute; the last component may have one '*'
  std::size_t line = 0;  // for messages, from 1
  friend bool operator==(const Listed&, const Listed&) = default;
};

inline constexpr std::size_t kMaxMountListBytes = 1U << 20U;
inline constexpr std::size_t kMaxMountListLines = 4096;

// Empty lines and those that begin with '#' count for nothing. Fails with invalid_config, naming `file` and
// the line, on another type than dev, lib, dir and sym, on a path that no recipe may name either, and on more
// than kMaxMountListLines entries.
[[nodiscard]] Result<std::vector<Listed>> parse_mount_list(std::string_view text, std::string_view file);

}  // namespace hami::vendors
