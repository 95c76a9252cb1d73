#include "libvgpu/core/proc_self.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace hami::vgpu {
namespace {

// The beginning of a small file, with a NUL behind it.
bool read_text(const char* path, char* out, unsigned room) noexcept {
  if (room == 0) return false;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto length = ::read(fd, out, room - 1);
  ::close(fd);
  if (length <= 0) return false;
  out[length] = '\0';
  return true;
}

}  // namespace

std::uint64_t parse_start_time(const char* line) noexcept {
  const char* at = std::strrchr(line, ')');
  if (at == nullptr) return 0;
  for (int field = 2; field < 22; ++field) {
    at = std::strchr(at, ' ');
    if (at == nullptr) return 0;
    ++at;
  }
  std::uint64_t ticks = 0;
  for (; *at >= '0' && *at <= '9'; ++at) ticks = ticks * 10 + static_cast<unsigned>(*at - '0');
  return ticks;
}

std::uint64_t own_start_time() noexcept {
  char line[1024];
  return read_text("/proc/self/stat", line, sizeof line) ? parse_start_time(line) : 0;
}

std::uint32_t host_pid_of_self() noexcept {
  // The kernel gives its first pid namespace this inode, in every version that has namespaces as files.
  constexpr const char* kHostNamespace = "pid:[4026531836]";
  char link[32] = {};
  if (::readlink("/proc/self/ns/pid", link, sizeof link - 1) <= 0) return 0;
  return std::strcmp(link, kHostNamespace) == 0 ? static_cast<std::uint32_t>(::getpid()) : 0;
}

bool read_command(std::uint32_t pid, char* out, unsigned room) noexcept {
  char path[32] = "/proc/";
  char* at = path + std::strlen(path);
  char digits[10];
  unsigned count = 0;
  for (std::uint32_t rest = pid; count == 0 || rest != 0; rest /= 10)
    digits[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) *at++ = digits[--count];
  std::memcpy(at, "/cmdline", sizeof "/cmdline");
  return read_text(path, out, room);  // its words end with NUL
}

}  // namespace hami::vgpu
