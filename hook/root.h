// A container's root file system, reached by one descriptor. Everything below it belongs to the image or the
// tenant: every path is resolved by the kernel inside that root, created things get a name of ours first, and
// no link of the image is ever followed to the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::hook {

class Root {
 public:
  // `path` comes from the engine. Refuses the root of the calling process itself. When the runtime has
  // mounted the root file system read-only, files are created through a writable copy of the same mount: that
  // is what "readonly" means before the container runs, and runc sets the flag only after its hooks.
  [[nodiscard]] static Result<Root> open(const std::string& path);

  // What the container will see; for reading, and for mounting over things.
  [[nodiscard]] int visible() const { return visible_.get(); }

  // Makes `path` a symbolic link to `target`: missing directories are created (0755), another link or file
  // there is replaced in one step, a right link is left alone. A directory there is an error.
  [[nodiscard]] Result<> link(const std::string& path, const std::string& target) const;

  // Replaces the file `path`, mode 0644, in one step; a link there is replaced, not followed. The error's
  // os_error is EROFS or EBUSY when the file cannot be replaced but can be mounted over.
  [[nodiscard]] Result<> write(const std::string& path, std::string_view content) const;

  // True when `path` leads, inside the root, to a directory (or, for has_file, a regular file).
  [[nodiscard]] bool has_directory(const std::string& path) const;
  [[nodiscard]] bool has_file(const std::string& path) const;

 private:
  Root(UniqueFd visible, UniqueFd writable) : visible_(std::move(visible)), writable_(std::move(writable)) {}
  [[nodiscard]] int files() const { return writable_ ? writable_.get() : visible_.get(); }
  [[nodiscard]] Result<UniqueFd> make_directories(const std::string& path) const;

  UniqueFd visible_;
  UniqueFd writable_;  // empty when `visible_` can be written to
};

}  // namespace hami::hook
