// Files by descriptor: read with a limit, replace atomically, open inside a root that cannot be left.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::files {

// The whole file. Fails with io when it is larger than `limit` bytes, not a regular file, or not readable.
// Reads to the end, so files of /proc and /sys with size 0 work; for those use read_text_at.
[[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit);

// What an open descriptor still has to give, up to `limit` bytes; more is an error. `name` is for messages.
[[nodiscard]] Result<std::string> read_all(int fd, std::string_view name, std::size_t limit);

// How much a file must be trusted before it is read.
enum class Trust {
  any,         // any regular file
  root_owned,  // owner root or our effective user, not writable by group or others, the last component no
               // symlink
};

// The whole of a regular file, checked on the descriptor that is read: no time between check and use.
[[nodiscard]] Result<std::string> read_trusted(const std::string& path, std::size_t limit, Trust trust);

// Opens `path` below the directory `root`; no symbolic link, "..", or mount of /proc can lead out of it.
// Absolute paths and links are relative to `root`. `flags` as of open(2), O_CLOEXEC is added.
// Source: openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS; Linux 5.6 or newer.
[[nodiscard]] Result<UniqueFd> open_in_root(int root, const std::string& path, std::uint64_t flags,
                                            std::uint64_t mode = 0);

// The same, but a component that is a link ends it: os_error is ELOOP then.
[[nodiscard]] Result<UniqueFd> open_in_root_without_links(int root, const std::string& path,
                                                          std::uint64_t flags);

// Replaces the content of `path` atomically: a temporary file in the same directory (O_EXCL), same mode and
// owner as the old file, fsync, rename, fsync of the directory. On failure the old file is untouched and the
// temporary gone.
[[nodiscard]] Result<> replace(const std::string& path, std::string_view content);

// Like replace, for a file that may not exist yet; new files get `mode`. `temporary` is the temporary file's
// name: where a lock lets in one writer at a time, a fixed one, so that what a killed writer leaves is taken
// over by the next one. Empty: a name of this process' own.
[[nodiscard]] Result<> write_atomic(const std::string& path, std::string_view content, mode_t mode,
                                    std::string_view temporary = {});

// Creates a directory and its parents with `mode`; existing ones are fine.
[[nodiscard]] Result<> make_dirs(const std::string& path, mode_t mode);

// Removes a directory with everything below it, without following links. A path that is not there is success.
[[nodiscard]] Result<> remove_tree(const std::string& path);

// Last component ("" for "/"), and everything before it ("." when there is none).
[[nodiscard]] std::string_view base_name(std::string_view path);
[[nodiscard]] std::string dir_name(std::string_view path);

}  // namespace hami::files
