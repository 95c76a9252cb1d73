#include "hook/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hook {

namespace {

constexpr std::size_t kMaxProcBytes = 4096;

// The user that stat(2) shows for one that the user namespace does not map, or root when it maps all users.
// Source: user_namespaces(7), "Unmapped user and group IDs".
uid_t unmapped_user() {
  const auto map = files::read("/proc/self/uid_map", kMaxProcBytes);
  const auto overflow = files::read("/proc/sys/kernel/overflowuid", kMaxProcBytes);
  if (!map || !overflow) return 0;
  if (map->find("4294967295") != std::string::npos) return 0;  // the initial namespace: everybody is mapped
  const auto number = text::parse_u64(text::trim(*overflow));
  return number ? static_cast<uid_t>(*number) : 0;
}

bool is_trusted_owner(uid_t owner) { return owner == 0 || owner == ::geteuid() || owner == unmapped_user(); }

}  // namespace

Result<UniqueFd> open_trusted(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno("inspect", path);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::denied, text::cat({"open ", text::quote(path), ": not a regular file"}));
  if (!is_trusted_owner(info.st_uid))
    return fail(Errc::denied,
                text::cat({"open ", text::quote(path), ": owned by user ", text::number(info.st_uid)}),
                "it must belong to root");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::denied, text::cat({"open ", text::quote(path), ": writable by group or others"}),
                "run chmod go-w on it");
  return file;
}

}  // namespace hami::hook
