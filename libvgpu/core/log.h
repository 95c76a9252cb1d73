// Messages of the library on the program's stderr: one write per line, no allocation. LIBCUDA_LOG_LEVEL as
// HAMi-core reads it: 0 and 1 errors, 2 warnings, 3 information, 4 debugging. Unset: errors only, and errors
// are only what makes the limits of this container unusable.
#pragma once

#include <cstdint>

namespace hami::vgpu {

enum class LogLevel : int { error = 1, warning = 2, info = 3, debug = 4 };

// One value inside a message: text or an unsigned number.
class LogPart {
 public:
  LogPart(const char* text) noexcept : text_(text) {}          // NOLINT(google-explicit-constructor)
  LogPart(std::uint64_t number) noexcept : number_(number) {}  // NOLINT(google-explicit-constructor)
  LogPart(unsigned number) noexcept : number_(number) {}       // NOLINT(google-explicit-constructor)
  const char* text() const noexcept { return text_; }
  std::uint64_t number() const noexcept { return number_; }

 private:
  const char* text_ = nullptr;
  std::uint64_t number_ = 0;
};

// True when messages of `level` are wanted; test it before collecting costly parts.
bool log_enabled(LogLevel level) noexcept;

// Writes "libvgpu: <parts>" as one line, cut at 512 bytes. Keeps errno.
void log_parts(LogLevel level, const LogPart* parts, unsigned count) noexcept;

template <typename... Parts>
void log(LogLevel level, const Parts&... parts) noexcept {
  if (!log_enabled(level)) return;
  const LogPart list[] = {LogPart(parts)...};
  log_parts(level, list, sizeof...(parts));
}

}  // namespace hami::vgpu
