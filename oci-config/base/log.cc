#include "oci-config/base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"

namespace hami {

namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char buffer[32];
  const std::size_t n = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {buffer, n};
}

void append_json_char(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) >= 0x20) {
    out += c;
    return;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u00";
  out += digits[static_cast<unsigned char>(c) >> 4U];
  out += digits[static_cast<unsigned char>(c) & 15U];
}

// One write call: lines of several processes do not mix in an O_APPEND file.
bool write_line(int fd, const std::string& line) {
  return ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace

std::string json_string(std::string_view value) {
  std::string out = "\"";
  while (!value.empty()) {
    const std::size_t length = text::utf8_length(value);
    if (length == 1) {
      append_json_char(out, value.front());
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
  return out;
}

std::string json_log_line(std::string_view message, std::string_view level) {
  return text::cat({"{\"level\":", json_string(level), ",\"msg\":", json_string(message), ",\"time\":\"",
                    utc_now(), "\"}\n"});
}

void report(const ErrorSink& sink, const Error& error) {
  const std::string message = text::cat({sink.program, ": ", error.line()});
  const std::string plain = message + "\n";
  write_line(STDERR_FILENO, plain);
  if (sink.path.empty()) return;

  const UniqueFd fd(::open(sink.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
  const std::string line =
      sink.format == LogFormat::json
          ? json_log_line(message)
          : text::cat({"time=\"", utc_now(), "\" level=error msg=", json_string(message), "\n"});
  if (fd && write_line(fd.get(), line)) return;
  const std::string why =
      text::cat({sink.program, ": write log ", text::quote(sink.path), ": ", std::strerror(errno), "\n"});
  write_line(STDERR_FILENO, why);
}

}  // namespace hami
