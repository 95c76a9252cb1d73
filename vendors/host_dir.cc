#include "vendors/host_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "oci-config/base/files.h"
#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

// Path of an open file as the kernel knows it.
std::optional<std::string> real_path(int fd) {
  const std::string link = text::cat({"/proc/self/fd/", text::number(static_cast<std::uint64_t>(fd))});
  char buffer[PATH_MAX];
  const ssize_t length = ::readlink(link.c_str(), buffer, sizeof buffer);
  if (length <= 0 || static_cast<std::size_t>(length) == sizeof buffer) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(length));
}

// Whether the kernel's name of a file that is reached without a link would be the root's name and this one.
bool is_plain(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && path.back() != '/' &&
         path.find("//") == std::string_view::npos && path.find("/.") == std::string_view::npos;
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

}  // namespace

Result<HostDir> HostDir::open(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    auto error = fail_errno("open the root directory", directory);
    if (error.value().os_error == ENOENT) error.value().code = Errc::not_found;
    return error;
  }
  auto real = real_path(fd.get());
  if (!real) return fail_errno("find the path of", directory, "is /proc mounted?");
  if (*real == "/") real->clear();
  return HostDir(std::move(fd), directory, std::move(*real));
}

// A file that no link leads to, so that its name is known without asking.
std::optional<HostFile> HostDir::plain_file(int fd, const std::string& path) const {
  HostFile file;
  if (::fstat(fd, &file.info) != 0 || S_ISLNK(file.info.st_mode)) return std::nullopt;
  file.path = path;
  file.host_path = real_ + path;
  return file;
}

std::optional<HostFile> HostDir::find(const std::string& path, Links links) const {
  const std::uint64_t flags = O_PATH | (links == Links::refuse_last ? O_NOFOLLOW : 0U);
  if (is_plain(path)) {
    const auto plain = files::open_in_root_without_links(fd_.get(), path, flags);
    if (plain) return plain_file(plain->get(), path);
    if (plain.error().os_error != ELOOP) return std::nullopt;
  }
  const auto fd = files::open_in_root(fd_.get(), path, flags);
  if (!fd) return std::nullopt;
  HostFile file;
  if (::fstat(fd->get(), &file.info) != 0 || S_ISLNK(file.info.st_mode)) return std::nullopt;
  auto real = real_path(fd->get());
  if (!real || !real->starts_with(real_) || real->size() == real_.size() || (*real)[real_.size()] != '/')
    return std::nullopt;
  // A file that was removed or moved meanwhile has another name now: then it is not there.
  struct stat now {};
  if (::lstat(real->c_str(), &now) != 0 || now.st_dev != file.info.st_dev || now.st_ino != file.info.st_ino)
    return std::nullopt;
  file.path = real->substr(real_.size());
  file.host_path = std::move(*real);
  return file;
}

std::optional<std::string> HostDir::link_target(const std::string& path) const {
  const auto fd = files::open_in_root(fd_.get(), path, O_PATH | O_NOFOLLOW);
  if (!fd) return std::nullopt;
  char buffer[PATH_MAX];
  const ssize_t length = ::readlinkat(fd->get(), "", buffer, sizeof buffer);
  if (length <= 0 || static_cast<std::size_t>(length) == sizeof buffer) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(length));
}

std::vector<std::string> HostDir::list(const std::string& path) const {
  std::vector<std::string> names;
  auto fd = files::open_in_root(fd_.get(), path, O_RDONLY | O_DIRECTORY);
  if (!fd) return names;
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd->get()));
  if (!dir) return names;
  static_cast<void>(fd->release());  // closedir closes it
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> HostDir::matching(const std::string& pattern) const {
  const auto last = files::base_name(pattern);
  const auto star = last.find('*');
  if (star == std::string_view::npos) return {pattern};
  const std::string directory = files::dir_name(pattern);
  const auto before = last.substr(0, star);
  const auto after = last.substr(star + 1);
  std::vector<std::string> paths;
  for (const auto& name : list(directory)) {
    if (name.size() >= before.size() + after.size() && name.starts_with(before) && name.ends_with(after))
      paths.push_back(text::cat({directory, "/", name}));
  }
  return paths;
}

Result<std::string> HostDir::read(const std::string& path, std::size_t limit) const {
  HAMI_TRY(const auto fd, files::open_in_root(fd_.get(), path, O_RDONLY | O_NONBLOCK));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("inspect", path);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::io, text::cat({"read ", text::quote(path), ": not a regular file"}));
  return files::read_all(fd.get(), path, limit);
}

bool is_trusted(const struct stat& info) {
  return files::is_trusted_owner(info.st_uid) && (info.st_mode & 022U) == 0;
}

}  // namespace hami::vendors
