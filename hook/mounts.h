// The kernel's descriptor-based mount calls. A mount that is attached nowhere is only a descriptor, so
// UniqueFd owns it. Needs Linux 5.12 (mount_setattr); no fallback that works on paths. Source: open_tree(2),
// move_mount(2), mount_setattr(2), fsopen(2), pivot_root(2).
#pragma once

#include <cstddef>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::hook::mounts {

// A detached copy of the mount that `fd` is in, from that directory on, with everything mounted below it.
[[nodiscard]] Result<UniqueFd> clone_tree(int fd);

// The top mount of a detached tree becomes writable; mounts below keep their flags. Fails when the file
// system itself is read-only or the flag is locked by an outer user namespace.
[[nodiscard]] Result<> make_writable(int tree);

// An empty tmpfs of at most `bytes`, attached nowhere: nosuid, nodev, noexec, directory mode 0755.
[[nodiscard]] Result<UniqueFd> new_tmpfs(std::size_t bytes);

// Attaches a detached mount over the file or directory that `target` refers to.
[[nodiscard]] Result<> attach(int mount, int target);

// A detached read-only mount of one file with this content, mode 0444, owner root. The file exists nowhere
// else. Forks: a file can only be cloned where its file system is attached, so a child attaches it in a mount
// namespace of its own and hands the clone back.
[[nodiscard]] Result<UniqueFd> detached_file(std::string_view content);

// Gives the calling process a mount namespace whose changes reach nobody. Only in a forked child.
[[nodiscard]] Result<> enter_private_namespace();

// The calling process' root becomes `tree`, a detached tree, and nothing else stays mounted. Only after
// enter_private_namespace.
[[nodiscard]] Result<> enter_root(int tree);

}  // namespace hami::hook::mounts
