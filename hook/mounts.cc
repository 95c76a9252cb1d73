#include "hook/mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "hook/child.h"
#include "oci-config/base/text.h"

// <sys/mount.h> declares the same names as <linux/mount.h> from glibc 2.36 on, and glibc 2.35 has no wrapper
// for the newer calls: all of them are made by number.

namespace hami::hook::mounts {

namespace {

constexpr std::string_view kTooOld = "needs Linux 5.12 or newer";
constexpr unsigned kEmptyPath = AT_EMPTY_PATH;
constexpr int kDetach = 2;  // MNT_DETACH, which only <sys/mount.h> names
constexpr int kStagingSeconds = 10;
constexpr const char* kFileName = "file";

UniqueFd open_tree(int fd, const char* path, unsigned flags) {
  return UniqueFd(static_cast<int>(::syscall(SYS_open_tree, fd, path, flags)));
}

Result<> set_attributes(int mount, std::uint64_t set, std::uint64_t clear) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  if (::syscall(SYS_mount_setattr, mount, "", kEmptyPath, &attributes, sizeof attributes) == 0) return {};
  return fail_errno("change the flags of", "a detached mount", std::string(kTooOld));
}

// Sends `fd` over a socket, with one byte of data because a message needs some.
Result<> send_fd(int socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) == 1) return {};
  return fail_errno("hand over", "a detached mount");
}

Result<UniqueFd> receive_fd(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
    return fail_errno("receive", "a detached mount");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
    return fail(Errc::internal, "receive a detached mount: no descriptor came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

Result<> write_file(int directory, std::string_view content) {
  const UniqueFd file(::openat(directory, kFileName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno("create", "a file of a detached mount");
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write", "a file of a detached mount");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fchmod(file.get(), 0444) != 0) return fail_errno("set the mode of", "a file of a detached mount");
  return {};
}

// The child's part of detached_file.
Result<> clone_and_send(int tmpfs, int socket) {
  HAMI_CHECK(enter_private_namespace());
  const UniqueFd top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno("open", "/");
  HAMI_CHECK(attach(tmpfs, top.get()));
  const UniqueFd clone = open_tree(tmpfs, kFileName, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (!clone) return fail_errno("clone", "a file of a detached mount");
  HAMI_CHECK(set_attributes(clone.get(),
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0));
  return send_fd(socket, clone.get());
}

}  // namespace

Result<UniqueFd> clone_tree(int fd) {
  UniqueFd tree = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | kEmptyPath);
  if (!tree) return fail_errno("clone the mounts of", "the root file system", std::string(kTooOld));
  return tree;
}

Result<> make_writable(int tree) { return set_attributes(tree, 0, MOUNT_ATTR_RDONLY); }

Result<UniqueFd> new_tmpfs(std::size_t bytes) {
  const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context) return fail_errno("make", "a tmpfs", std::string(kTooOld));
  const std::string size = text::number(bytes);
  const auto set = [&](const char* key, const char* value) {
    return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key, value, 0) == 0;
  };
  if (!set("size", size.c_str()) || !set("mode", "0755") || !set("nr_inodes", "64"))
    return fail_errno("configure", "a tmpfs");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail_errno("create", "a tmpfs");
  constexpr unsigned kFlags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  UniqueFd mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, kFlags)));
  if (!mount) return fail_errno("mount", "a tmpfs");
  return mount;
}

Result<> attach(int mount, int target) {
  constexpr unsigned kByDescriptor = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::syscall(SYS_move_mount, mount, "", target, "", kByDescriptor) == 0) return {};
  return fail_errno("attach", "a detached mount");
}

Result<UniqueFd> detached_file(std::string_view content) {
  HAMI_TRY(const UniqueFd tmpfs, new_tmpfs(content.size() + (1U << 16U)));
  HAMI_CHECK(write_file(tmpfs.get(), content));
  int sockets[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return fail_errno("make", "a socket pair");
  const UniqueFd ours(sockets[0]);
  const UniqueFd theirs(sockets[1]);
  HAMI_CHECK(run_in_child([&] { return clone_and_send(tmpfs.get(), theirs.get()); }, kStagingSeconds));
  return receive_fd(ours.get());
}

Result<> enter_private_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno("enter", "a mount namespace");
  if (::syscall(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail_errno("make private", "/");
  return {};
}

Result<> enter_root(int tree) {
  const UniqueFd top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno("open", "/");
  HAMI_CHECK(attach(tree, top.get()));
  if (::fchdir(tree) != 0) return fail_errno("enter", "the root file system");
  // Fails where our own root is a ramfs or a plain chroot; a change of root is enough there, since the caller
  // gives up the right to change it again.
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::syscall(SYS_umount2, ".", kDetach) != 0) return fail_errno("leave", "the old root");
  }
  if (::chroot(".") != 0 || ::chdir("/") != 0) return fail_errno("enter", "the root file system");
  return {};
}

}  // namespace hami::hook::mounts
