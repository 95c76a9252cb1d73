#include "libvgpu/core/proc_self.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace hami::vgpu {

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
  const int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char line[1024];
  const auto length = ::read(fd, line, sizeof line - 1);
  ::close(fd);
  if (length <= 0) return 0;
  line[length] = '\0';
  return parse_start_time(line);
}

}  // namespace hami::vgpu
