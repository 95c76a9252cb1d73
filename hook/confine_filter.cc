#include "hook/confine_filter.h"

#include <seccomp.h>

#include <cerrno>
#include <memory>
#include <span>
#include <type_traits>

namespace hami::hook {

namespace {

// Memory, signals, clocks and open files of any C program.
constexpr const char* kCommon[] = {
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "dup",
    "dup2",
    "dup3",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fchmod",
    "fcntl",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futex",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "gettimeofday",
    "getuid",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "openat",
    "pread64",
    "prlimit64",
    "read",
    "readlinkat",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "statx",
    "tgkill",
    "umask",
    "uname",
    "unlinkat",
    "write",
    "writev",
};

// What ldconfig programs of any age do besides; the old calls without a directory descriptor included.
constexpr const char* kLdconfig[] = {
    "access",   "chdir",     "chmod",     "execveat", "fadvise64",
    "fchmodat", "fchmodat2", "getcwd",    "getdents", "getrlimit",
    "link",     "linkat",    "lstat",     "mkdir",    "mkdirat",
    "open",     "readlink",  "rename",    "rmdir",    "sched_getaffinity",
    "stat",     "symlink",   "symlinkat", "sysinfo",  "unlink",
};

// The way into a container's root, and the child that runs ldconfig there.
constexpr const char* kCreateContainer[] = {
    "capget",     "capset",     "chroot",  "clone",        "fchdir",  "fsconfig",
    "fsmount",    "fsopen",     "kill",    "memfd_create", "mount",   "mount_setattr",
    "move_mount", "open_tree",  "openat2", "pidfd_open",   "pipe2",   "pivot_root",
    "poll",       "ppoll",      "prctl",   "recvmsg",      "seccomp", "sendmsg",
    "setrlimit",  "socketpair", "umount2", "unshare",      "wait4",
};

constexpr const char* kEnterNamespace[] = {"setns"};

constexpr const char* kRelease[] = {"fchown", "fdatasync", "flock", "mkdir", "mkdirat", "openat2", "rmdir"};

struct ReleaseContext {
  void operator()(scmp_filter_ctx context) const noexcept { seccomp_release(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, ReleaseContext>;

tl::unexpected<Error> failed(const char* doing, int code) {
  errno = -code;
  return fail_errno(doing, "the system call filter");
}

Result<> allow(scmp_filter_ctx context, std::span<const char* const> names) {
  for (const char* name : names) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // a call this libseccomp does not know yet
    const int code = seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0);
    // EDOM: the architecture has no such call; EEXIST: named twice.
    if (code != 0 && code != -EDOM && code != -EEXIST) return failed("build", code);
  }
  return {};
}

Result<> allow_profile(scmp_filter_ctx context, Profile profile) {
  HAMI_CHECK(allow(context, kCommon));
  switch (profile) {
    case Profile::create_runtime:
      HAMI_CHECK(allow(context, kEnterNamespace));
      [[fallthrough]];
    case Profile::create_container:
      HAMI_CHECK(allow(context, kCreateContainer));
      return allow(context, kLdconfig);  // its child runs under this filter too
    case Profile::release:
      return allow(context, kRelease);
    case Profile::ldconfig:
      return allow(context, kLdconfig);
  }
  return fail(Errc::internal, "unknown profile");
}

}  // namespace

Result<> load_filter(Profile profile) {
  const Context context(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!context) return fail(Errc::internal, "out of memory");
  HAMI_CHECK(allow_profile(context.get(), profile));
  const int code = seccomp_load(context.get());
  if (code != 0) return failed("load", code);
  return {};
}

}  // namespace hami::hook
