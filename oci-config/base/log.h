// How a program of ours tells its failure: one line on stderr, and one JSON line in the file that the engine
// named with --log (containerd and Docker show the user the last line there with level "error").
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami {

enum class LogFormat { text, json };

// Where the engine wants to read errors; `path` empty when it named no file.
struct ErrorSink {
  std::string program;  // "hami-runtime": the prefix of the line
  std::string path;
  LogFormat format = LogFormat::text;
};

// Writes the error to stderr and, when a path is set, appends one line to that file with a single write
// (created 0644 when missing). A log file that cannot be written is mentioned on stderr, nothing else.
// Source: containerd, process/utils.go (getLastRuntimeError); runc's logrus lines.
void report(const ErrorSink& sink, const Error& error);

// The JSON line of `report`, for tests and for programs with their own file. Time in RFC 3339, UTC.
[[nodiscard]] std::string json_log_line(std::string_view message, std::string_view level = "error");

// `value` as a JSON string with quotes. Invalid UTF-8 bytes become U+FFFD.
[[nodiscard]] std::string json_string(std::string_view value);

}  // namespace hami
