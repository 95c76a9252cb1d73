// Locks of single bytes of a file. Record locks (F_SETLK) are a process's: any of its threads has them, and
// they go when it closes any descriptor of the file. Locks of an open file (F_OFD_SETLK) live as long as
// somebody has that file open. Neither kind ever waits here. Source: fcntl(2), fcntl_locking(2).
#pragma once

#include <fcntl.h>

#include <cstdint>

namespace hami::abi {

// F_OFD_GETLK and F_OFD_SETLK, which old headers lack.
inline constexpr int kGetFileLock = 36;
inline constexpr int kSetFileLock = 37;

// Of `byte` alone; type: F_RDLCK, F_WRLCK or F_UNLCK.
inline struct flock byte_lock(std::uint64_t byte, short type) noexcept {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  return lock;
}

// Takes or drops the record lock of one byte. False: another process holds it.
inline bool set_byte_lock(int fd, std::uint64_t byte, short type) noexcept {
  struct flock lock = byte_lock(byte, type);
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

// The process that holds the record lock of one byte, as the calling process sees it; 0: nobody else.
// A holder in a pid namespace that the caller cannot see has no number here: it counts as -1, alive.
inline std::int64_t byte_lock_owner(int fd, std::uint64_t byte) noexcept {
  struct flock lock = byte_lock(byte, F_WRLCK);
  if (::fcntl(fd, F_GETLK, &lock) != 0) return -1;
  if (lock.l_type == F_UNLCK) return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1;
}

// Locks one byte for the open file of `fd`. False also on kernels that have no such locks.
inline bool set_file_lock(int fd, std::uint64_t byte, short type) noexcept {
  struct flock lock = byte_lock(byte, type);
  return ::fcntl(fd, kSetFileLock, &lock) == 0;
}

// Does any open file hold the lock of one byte? Yes where nobody can tell.
inline bool has_file_lock(int fd, std::uint64_t byte) noexcept {
  struct flock lock = byte_lock(byte, F_WRLCK);
  return ::fcntl(fd, kGetFileLock, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace hami::abi
