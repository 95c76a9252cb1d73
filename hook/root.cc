#include "hook/root.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "hook/mounts.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hook {

namespace {

constexpr int kNameAttempts = 16;

// A name nobody can have prepared, for something that is renamed into place.
std::string temporary_name() {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    random = static_cast<std::uint64_t>(::getpid());
  return ".hami-" + text::hex64(random);
}

bool is_link_to(int directory, const std::string& name, const std::string& target) {
  char found[PATH_MAX];
  const ssize_t n = ::readlinkat(directory, name.c_str(), found, sizeof found);
  return n >= 0 && std::string_view(found, static_cast<std::size_t>(n)) == target;
}

// Removes a temporary name unless the rename worked; errno stays.
Result<> rename_into_place(int directory, const std::string& temporary, const std::string& name,
                           const std::string& path) {
  if (::renameat(directory, temporary.c_str(), directory, name.c_str()) == 0) return {};
  auto error = fail_errno("replace inside the root", path);
  ::unlinkat(directory, temporary.c_str(), 0);
  return error;
}

Result<> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write inside the root", path);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> refuse_own_root(int root, const std::string& path) {
  struct stat theirs {};
  struct stat ours {};
  if (::fstat(root, &theirs) != 0 || ::stat("/", &ours) != 0) return fail_errno("inspect", path);
  if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
    return fail(Errc::denied, text::cat({"the root file system ", text::quote(path), " is the host's own"}));
  return {};
}

// A writable copy of a mount that is read-only, or nothing when the file system itself cannot be written.
Result<UniqueFd> writable_copy(int root) {
  struct statvfs info {};
  if (::fstatvfs(root, &info) != 0) return fail_errno("inspect", "the root file system");
  if ((info.f_flag & ST_RDONLY) == 0) return UniqueFd{};
  HAMI_TRY(UniqueFd tree, mounts::clone_tree(root));
  if (!mounts::make_writable(tree.get())) return UniqueFd{};  // what has to be written will say so
  return tree;
}

bool is_of_type(int root, const std::string& path, std::uint32_t type) {
  const auto fd = files::open_in_root(root, path, O_PATH);
  struct stat info {};
  return fd && ::fstat(fd->get(), &info) == 0 && (info.st_mode & S_IFMT) == type;
}

// The directory `path` of the root; made as `name` in `parent`, the directory before it, when missing.
Result<UniqueFd> open_or_make(int root, int parent, const std::string& path, const std::string& name) {
  auto found = files::open_in_root(root, path, O_PATH | O_DIRECTORY);
  if (found || found.error().os_error != ENOENT) return found;
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return fail_errno("create directory inside the root", path);
  return files::open_in_root(root, path, O_PATH | O_DIRECTORY);
}

}  // namespace

Result<Root> Root::open(const std::string& path) {
  UniqueFd visible(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!visible) return fail_errno("open the root file system", path);
  HAMI_CHECK(refuse_own_root(visible.get(), path));
  HAMI_TRY(UniqueFd writable, writable_copy(visible.get()));
  return Root(std::move(visible), std::move(writable));
}

// Every prefix is resolved anew from the root, so a component that is swapped for a link in between leads to
// another place inside the root at most; mkdirat itself follows nothing.
Result<UniqueFd> Root::make_directories(const std::string& path) const {
  HAMI_TRY(UniqueFd parent, files::open_in_root(files(), "/", O_PATH | O_DIRECTORY));
  for (std::size_t at = 1; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    HAMI_TRY(parent, open_or_make(files(), parent.get(), path.substr(0, end), path.substr(at, end - at)));
    at = end + 1;
  }
  return parent;
}

Result<> Root::link(const std::string& path, const std::string& target) const {
  HAMI_TRY(const UniqueFd parent, make_directories(files::dir_name(path)));
  const std::string name(files::base_name(path));
  if (is_link_to(parent.get(), name, target)) return {};
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    const std::string temporary = temporary_name();
    if (::symlinkat(target.c_str(), parent.get(), temporary.c_str()) == 0)
      return rename_into_place(parent.get(), temporary, name, path);
    if (errno != EEXIST) break;
  }
  return fail_errno("create a link inside the root", path);
}

Result<> Root::write(const std::string& path, std::string_view content) const {
  HAMI_TRY(const UniqueFd parent, make_directories(files::dir_name(path)));
  const std::string temporary = temporary_name();
  const UniqueFd file(
      ::openat(parent.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno("create a file inside the root", path);
  Result<> written = write_all(file.get(), content, path);
  if (written && ::fchmod(file.get(), 0644) != 0)
    written = fail_errno("set the mode inside the root of", path);
  if (!written) {
    ::unlinkat(parent.get(), temporary.c_str(), 0);
    return written;
  }
  return rename_into_place(parent.get(), temporary, std::string(files::base_name(path)), path);
}

bool Root::has_directory(const std::string& path) const { return is_of_type(visible(), path, S_IFDIR); }

bool Root::has_file(const std::string& path) const { return is_of_type(visible(), path, S_IFREG); }

}  // namespace hami::hook
