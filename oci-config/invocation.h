// The command line of an OCI runtime: what is asked of it, and where the bundle is.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oci-config/base/log.h"

namespace hami::oci {

enum class Subcommand {
  none,  // no command word; or --help or --version before it, which do nothing else
  create,
  run,
  restore,
  other,  // everything that only passes through: state, start, kill, delete, exec, …; create --help too
};

// argv as runc 1.1 to 1.3 and crun would read it; where one of them refuses the line, as the other does.
// Views into argv; nothing is copied or changed.
struct Invocation {
  Subcommand subcommand = Subcommand::none;
  std::string_view command;       // the word itself
  std::string_view container_id;  // create, run, restore; empty when missing
  std::string_view bundle;        // --bundle/-b; empty: the current directory
  std::string_view config;        // crun's --config/-f; empty: config.json in the bundle
  std::string_view root;          // --root; empty: the low-level runtime's default
  std::string_view log;           // --log
  LogFormat log_format = LogFormat::text;
  bool systemd_cgroup = false;
  bool version = false;    // --version or -v before any command
  bool ambiguous = false;  // an unknown flag made the command, the id or the bundle uncertain
};

// Never fails: what it cannot read is left for the low-level runtime to refuse. `argv` includes argv[0].
// Source: runc's and crun's option tables and what their parsers do with one dash, '=', '--' and late
// options. Async-signal-safe, and usable before the C library is set up: needs no symbol of any library.
[[nodiscard]] Invocation parse_invocation(std::span<const char* const> argv) noexcept;

}  // namespace hami::oci
