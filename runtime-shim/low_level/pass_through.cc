#include "runtime-shim/low_level/pass_through.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "oci-config/base/files.h"
#include "runtime-shim/config.h"
#include "runtime-shim/low_level/key.h"
#include "runtime-shim/low_level/low_level.h"

namespace hami::shim {

namespace {

// In the form of the low-level runtime's own lines. Docker takes the last line with the word "version" for
// it.
constexpr std::string_view kVersionLine = "hami-runtime: " HAMI_VERSION "\n";

// The programs to look for, also from a file that has mistakes elsewhere.
std::vector<std::string> configured_programs() {
  const Config defaults;
  const std::string path = config_path();
  const auto text = files::read_trusted(path, kMaxConfigBytes, files::Trust::root_owned);
  if (!text) return defaults.low_level;
  const LowLevelKey key = find_low_level_key(*text);
  switch (key.kind) {
    case LowLevelKey::Kind::absent:
      return defaults.low_level;
    case LowLevelKey::Kind::simple:
      return {key.programs.begin(), key.programs.begin() + key.count};
    case LowLevelKey::Kind::complex:
      break;
  }
  const auto config = parse_config(*text, path);
  return config ? config->low_level : defaults.low_level;
}

// Both versions, the low-level runtime's lines first and unchanged: engines read those. Ends the process with
// its exit status; returns only when there is no child to wait for.
Error show_versions(const std::string& program, char* const* argv) {
  const pid_t child = ::fork();
  if (child <= 0) return become(program, argv);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) ::_exit(EXIT_FAILURE);
  if (WEXITSTATUS(status) == EXIT_SUCCESS)
    (void)!::write(STDOUT_FILENO, kVersionLine.data(), kVersionLine.size());
  ::_exit(WEXITSTATUS(status));
}

}  // namespace

Error pass_through(const oci::Invocation& invocation, char* const* argv) {
  const char* path = std::getenv("PATH");
  auto program = find_low_level(configured_programs(), path == nullptr ? "" : path);
  if (!program) return std::move(program).error();
  return invocation.version ? show_versions(*program, argv) : become(*program, argv);
}

}  // namespace hami::shim
