// Files below a root of the host (the driver's, /dev's). Links are followed inside the root and cannot leave
// it.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/unique_fd.h"

namespace hami::vendors {

// A file that is there. `path` is where it really is, as seen from the root; `host_path` the same for the
// host.
struct HostFile {
  std::string path;
  std::string host_path;
  struct stat info {};
};

class HostDir {
 public:
  // Fails with not_found when there is no such directory.
  [[nodiscard]] static Result<HostDir> open(const std::string& directory);

  enum class Links { follow, refuse_last };

  // What is at `path` (absolute, inside the root); nothing when it is not there or cannot be reached inside
  // the root.
  [[nodiscard]] std::optional<HostFile> find(const std::string& path, Links links = Links::follow) const;

  // Where the link at `path` points to, as it is written; nothing when there is no link.
  [[nodiscard]] std::optional<std::string> link_target(const std::string& path) const;

  // Names in a directory, sorted; empty when there is none.
  [[nodiscard]] std::vector<std::string> list(const std::string& path) const;

  // The paths that `pattern` stands for: itself, whether it is there or not, or what is there by a name that
  // its last component with one '*' fits, sorted.
  [[nodiscard]] std::vector<std::string> matching(const std::string& pattern) const;

  // A regular file's content.
  [[nodiscard]] Result<std::string> read(const std::string& path, std::size_t limit) const;

  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  HostDir(UniqueFd fd, std::string directory, std::string real)
      : fd_(std::move(fd)), directory_(std::move(directory)), real_(std::move(real)) {}
  [[nodiscard]] std::optional<HostFile> plain_file(int fd, const std::string& path) const;

  UniqueFd fd_;
  std::string directory_;  // as given
  std::string real_;       // without links, "" for "/"
};

// True when only root (or we) can change the file: what is mounted into containers must not be anybody's.
[[nodiscard]] bool is_trusted(const struct stat& info);

}  // namespace hami::vendors
