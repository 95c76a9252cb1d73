#include "oci-config/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"

namespace hami::files {

namespace {

Result<> write_all(int fd, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write", name);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// Removes a temporary file unless it was renamed into place.
class TemporaryFile {
 public:
  TemporaryFile(int dir, std::string name) : dir_(dir), name_(std::move(name)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    const int saved = errno;
    if (!name_.empty()) ::unlinkat(dir_, name_.c_str(), 0);
    errno = saved;
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  void keep() { name_.clear(); }

 private:
  int dir_;
  std::string name_;
};

struct Ownership {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  bool keep_owner;
};

Result<> write_in_place_of(const std::string& path, std::string_view content, const Ownership& owner,
                           std::string_view temporary_name = {}) {
  const std::string dir_path = dir_name(path);
  const std::string base(base_name(path));
  const UniqueFd dir(::open(dir_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return fail_errno("open directory", dir_path);

  // The process id keeps two writers apart; a leftover of a killed one with our id is taken over.
  const std::string own_name =
      text::cat({".", base, ".tmp-", text::number(static_cast<std::uint64_t>(::getpid()))});
  TemporaryFile temporary(dir.get(), temporary_name.empty() ? own_name : std::string(temporary_name));
  ::unlinkat(dir.get(), temporary.name().c_str(), 0);
  UniqueFd out(::openat(dir.get(), temporary.name().c_str(),
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) {
    auto error = fail_errno("create a temporary file beside", path);
    temporary.keep();
    return error;
  }
  HAMI_CHECK(write_all(out.get(), content, path));
  if (owner.keep_owner && ::fchown(out.get(), owner.uid, owner.gid) != 0)
    return fail_errno("keep the owner of", path);
  if (::fchmod(out.get(), owner.mode & 07777U) != 0) return fail_errno("set the mode of", path);
  if (::fsync(out.get()) != 0) return fail_errno("flush", path);
  if (::renameat(dir.get(), temporary.name().c_str(), dir.get(), base.c_str()) != 0)
    return fail_errno("replace", path);
  temporary.keep();
  ::fsync(dir.get());  // some file systems cannot; the rename itself has happened
  return {};
}

Result<> remove_entry(int dir, const char* name, const std::string& path, int depth);

Result<> remove_children(UniqueFd fd, const std::string& path, int depth) {
  if (depth > 64) return fail(Errc::io, text::cat({"remove ", text::quote(path), ": nested too deeply"}));
  DIR* stream = ::fdopendir(fd.get());
  if (stream == nullptr) return fail_errno("list", path);
  const int dir = fd.release();  // closedir closes it
  Result<> result{};
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    result = remove_entry(dir, entry->d_name, text::cat({path, "/", name}), depth + 1);
    if (!result) break;
  }
  ::closedir(stream);
  return result;
}

Result<> remove_entry(int dir, const char* name, const std::string& path, int depth) {
  if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove", path);
  UniqueFd child(::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child) return fail_errno("open", path);
  HAMI_CHECK(remove_children(std::move(child), path, depth));
  if (::unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return fail_errno("remove", path);
  return {};
}

// `how.resolve`: what must hold besides staying inside the root.
Result<UniqueFd> open_resolving(int root, const std::string& path, open_how how) {
  how.flags |= O_CLOEXEC;
  how.resolve |= RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename or mount happened during the walk; the kernel could not prove containment.
    if (errno != EAGAIN || attempt == 32) return fail_errno("open inside the root", path);
  }
}

}  // namespace

Result<std::string> read_all(int fd, std::string_view name, std::size_t limit) {
  std::string out;
  char buffer[16384];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read", name);
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > limit) {
      return fail(Errc::io,
                  text::cat({"read ", text::quote(name), ": larger than ", text::number(limit), " bytes"}));
    }
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<std::string> read(const std::string& path, std::size_t limit) {
  return read_trusted(path, limit, Trust::any);
}

Result<std::string> read_trusted(const std::string& path, std::size_t limit, Trust trust) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer. It has no effect on regular files.
  const int follow = trust == Trust::root_owned ? O_NOFOLLOW : 0;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow));
  if (!fd) return fail_errno("open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("inspect", path);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::io, text::cat({"read ", text::quote(path), ": not a regular file"}));
  if (trust == Trust::root_owned) {
    if (!is_trusted_owner(info.st_uid)) {
      return fail(Errc::denied,
                  text::cat({"read ", text::quote(path), ": owned by user ", text::number(info.st_uid)}),
                  "it must belong to root");
    }
    if ((info.st_mode & 022U) != 0) {
      return fail(Errc::denied, text::cat({"read ", text::quote(path), ": writable by group or others"}),
                  "run chmod go-w on it");
    }
  }
  return read_all(fd.get(), path, limit);
}

Result<UniqueFd> open_in_root(int root, const std::string& path, std::uint64_t flags, std::uint64_t mode) {
  return open_resolving(root, path, {flags, mode, 0});
}

Result<UniqueFd> open_in_root_without_links(int root, const std::string& path, std::uint64_t flags) {
  return open_resolving(root, path, {flags, 0, RESOLVE_NO_SYMLINKS});
}

Result<> replace(const std::string& path, std::string_view content) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return fail_errno("inspect", path);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::io, text::cat({"replace ", text::quote(path), ": not a regular file"}));
  return write_in_place_of(path, content, {info.st_mode, info.st_uid, info.st_gid, true});
}

Result<> write_atomic(const std::string& path, std::string_view content, mode_t mode,
                      std::string_view temporary) {
  return write_in_place_of(path, content, {mode, 0, 0, false}, temporary);
}

Result<> make_dirs(const std::string& path, mode_t mode) {
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (at != std::string::npos) ++at;
    if (part.empty() || ::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    struct stat info {};
    const int saved = errno;
    if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
      continue;  // a read-only parent that is there
    errno = saved;
    return fail_errno("create directory", part);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("create directory", path);
  if (!S_ISDIR(info.st_mode))
    return fail(Errc::io, text::cat({"create directory ", text::quote(path), ": a file is there"}));
  return {};
}

Result<> remove_tree(const std::string& path) { return remove_entry(AT_FDCWD, path.c_str(), path, 0); }

std::string_view base_name(std::string_view path) {
  const auto at = path.rfind('/');
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

std::string dir_name(std::string_view path) {
  const auto at = path.rfind('/');
  if (at == std::string_view::npos) return ".";
  return at == 0 ? "/" : std::string(path.substr(0, at));
}

}  // namespace hami::files
