// One step of a program that passes memory to others, as a test asks for it over a socket.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <cstring>

namespace hami::fake {

enum class Step : std::uint32_t {
  create,          // memory behind a handle, `bytes` of it
  export_fd,       // that handle as a descriptor
  import_fd,       // a handle from a descriptor
  export_fabric,   // that handle as 64 bytes
  import_fabric,   // a handle from those
  map,             // the handle
  unmap,           // what was mapped last
  release,         // the handle that was made or imported last
  allocate,        // `bytes`
  get_handle,      // of what was allocated last
  open_handle,     // of another process
  close_handle,    // what was opened last
  free,            // what was allocated last
  allocate_async,  // `bytes` of the default pool
  export_pool,     // the default pool as a descriptor
  export_pointer,  // what was allocated of it
  import_pool,     // from a descriptor
  import_pointer,  // into that pool
  free_imported,   // that pointer
  make_pool,       // a pool that can be passed on, for allocate_async
  new_context,     // for what follows
  end_context,     // that context
};

struct Order {
  Step step;
  std::uint32_t reserved;
  std::uint64_t bytes;
  char handle[64];
};

// With a descriptor where the step makes one.
struct Answer {
  std::int32_t status;  // CUresult
  std::uint32_t reserved;
  std::uint64_t free_mib;
  char handle[64];
};

// Sends `message` over a socket, with a descriptor unless it is -1.
template <typename T>
bool send_with_fd(int socket, const T& message, int fd) {
  T copy = message;
  iovec part = {&copy, sizeof copy};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof copy);
}

// `fd` becomes the descriptor that came along, the receiver's to close; unchanged when none did.
template <typename T>
bool receive_with_fd(int socket, T& message, int& fd) {
  iovec part = {&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  if (::recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof message)) return false;
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&header)) std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return true;
}

}  // namespace hami::fake
