#include "libvgpu/core/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "libvgpu/core/lock.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kLineMax = 512;

constinit std::atomic<int> g_level{0};  // 0: not read yet

int read_level() noexcept {
  const char* text = ::secure_getenv("LIBCUDA_LOG_LEVEL");
  if (text == nullptr || *text < '0' || *text > '9') return static_cast<int>(LogLevel::error);
  int level = *text - '0';
  return level < 1 ? 1 : level;
}

class Line {
 public:
  void add(const char* text) noexcept {
    while (*text != '\0' && length_ < kLineMax - 1) bytes_[length_++] = *text++;
  }
  void add(std::uint64_t number) noexcept {
    char digits[21];
    unsigned at = sizeof digits - 1;
    digits[at] = '\0';
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    add(&digits[at]);
  }
  void write() noexcept {
    bytes_[length_++] = '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, bytes_, length_);
  }

 private:
  char bytes_[kLineMax];
  unsigned length_ = 0;
};

}  // namespace

bool log_enabled(LogLevel level) noexcept {
  int current = g_level.load(std::memory_order_relaxed);
  if (current == 0) {
    current = read_level();
    g_level.store(current, std::memory_order_relaxed);
  }
  return static_cast<int>(level) <= current;
}

void log_parts(LogLevel, const LogPart* parts, unsigned count) noexcept {
  const ErrnoGuard keep_errno;
  Line line;
  line.add("libvgpu: ");
  for (unsigned i = 0; i < count; ++i) {
    if (parts[i].text() != nullptr) {
      line.add(parts[i].text());
    } else {
      line.add(parts[i].number());
    }
  }
  line.write();
}

}  // namespace hami::vgpu
