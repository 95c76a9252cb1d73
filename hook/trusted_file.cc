#include "hook/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"

namespace hami::hook {

Result<UniqueFd> open_trusted(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno("inspect", path);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::denied, text::cat({"open ", text::quote(path), ": not a regular file"}));
  if (!files::is_trusted_owner(info.st_uid))
    return fail(Errc::denied,
                text::cat({"open ", text::quote(path), ": owned by user ", text::number(info.st_uid)}),
                "it must belong to root");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::denied, text::cat({"open ", text::quote(path), ": writable by group or others"}),
                "run chmod go-w on it");
  return file;
}

}  // namespace hami::hook
