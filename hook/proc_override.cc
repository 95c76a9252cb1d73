#include "hook/proc_override.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "hook/mounts.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hook {

namespace {

constexpr std::size_t kMaxProcFile = 1U << 20U;

// Stricter than files::open_in_root: procfs has no link on the way to a file worth overriding, so any link is
// the image's.
UniqueFd open_without_links(int root, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

bool is_on_procfs(int fd) {
  struct statfs info {};
  return ::fstatfs(fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

bool is_regular(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

bool is_same_file(int a, int b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

tl::unexpected<Error> refuse(const std::string& path, std::string_view why) {
  return fail(Errc::denied, text::cat({"override ", text::quote(path), ": ", why}));
}

// The file with its line replaced; an empty text when it has no such line. Reading changes nothing, so it may
// be anybody's file.
Result<std::string> edited_content(int root, const vendors::ProcOverride& item) {
  const UniqueFd file = open_without_links(root, item.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return fail_errno("open inside the root", item.path);
  HAMI_TRY(const std::string content, files::read_all(file.get(), item.path, kMaxProcFile));
  std::string edited = replace_line(content, item.match, item.replace);
  if (edited == content) edited.clear();
  return edited;
}

}  // namespace

std::string replace_line(std::string_view content, std::string_view match, std::string_view replace) {
  std::string out;
  while (!content.empty()) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    out.append(line == match ? replace : line);
    if (end == std::string_view::npos) break;
    out.push_back('\n');
    content.remove_prefix(end + 1);
  }
  return out;
}

Result<> override_proc_file(const Root& root, const vendors::ProcOverride& item) {
  const UniqueFd target = open_without_links(root.visible(), item.path, O_PATH);
  if (!target && errno == ENOENT) return {};
  if (!target && errno == ELOOP) return refuse(item.path, "a component of the path is a link");
  if (!target) return fail_errno("open inside the root", item.path);
  if (!is_regular(target.get())) return refuse(item.path, "it is not a regular file");
  HAMI_TRY(const std::string content, edited_content(root.visible(), item));
  if (content.empty()) return {};
  if (!is_on_procfs(target.get())) return refuse(item.path, "it is not a file of procfs");

  HAMI_TRY(const UniqueFd copy, mounts::detached_file(content));
  HAMI_CHECK(mounts::attach(copy.get(), target.get()));
  const UniqueFd seen = open_without_links(root.visible(), item.path, O_PATH);
  if (!seen || !is_same_file(seen.get(), copy.get())) return refuse(item.path, "it was replaced meanwhile");
  return {};
}

}  // namespace hami::hook
