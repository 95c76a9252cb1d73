// Values or errors. Libraries return them; only programs print them, once.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace hami {

enum class Errc {
  invalid_spec,     // config.json or another OCI document is not what the specification allows
  invalid_request,  // what the container asks for cannot be understood
  invalid_config,   // config.toml, a recipe or a command line of ours is wrong
  not_found,        // a device, file or program that is needed does not exist
  exhausted,        // the node has it, but not that much is free
  denied,           // policy says no
  io,               // a system call failed; os_error says how
  internal,         // a defect of ours
};

// Why an operation failed. `message` is one line: "<doing>: <object>: <cause>", without a program's name.
struct Error {
  Errc code = Errc::internal;
  int os_error = 0;     // errno at the failure, 0 when no system call failed
  std::string message;  // one line, no trailing full stop
  std::string hint;     // what the user can do about it; may be empty

  // The same error with `doing` put in front: "create: read config.json: …".
  [[nodiscard]] Error within(std::string_view doing) && {
    message.insert(0, ": ");
    message.insert(0, doing);
    return std::move(*this);
  }

  // The line a user reads: "<message>; <hint>".
  [[nodiscard]] std::string line() const { return hint.empty() ? message : message + "; " + hint; }
};

template <typename T = void>
using Result = tl::expected<T, Error>;  // std::expected once the toolchain is C++23

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, 0, std::move(message), std::move(hint)});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// An error from errno. Takes errno first, so it may be called right after the system call.
// Message: "<doing> '<object>': <strerror>". Paths and user text are quoted, control characters escaped.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view doing, std::string_view object,
                                               std::string hint = {});

}  // namespace hami

// HAMI_TRY(auto value, expression): the value, or return the error to the caller. HAMI_CHECK for Result<>.
#define HAMI_CONCAT_(a, b) a##b
#define HAMI_CONCAT(a, b) HAMI_CONCAT_(a, b)
#define HAMI_TRY_(result, decl, expr)                                             \
  auto result = (expr);                                                           \
  if (!result) return ::tl::unexpected<::hami::Error>(std::move(result).error()); \
  decl = *std::move(result)
#define HAMI_TRY(decl, expr) HAMI_TRY_(HAMI_CONCAT(hami_try_, __LINE__), decl, expr)
#define HAMI_CHECK_(result, expr) \
  if (auto result = (expr); !result) return ::tl::unexpected<::hami::Error>(std::move(result).error())
#define HAMI_CHECK(expr) HAMI_CHECK_(HAMI_CONCAT(hami_check_, __LINE__), expr)
