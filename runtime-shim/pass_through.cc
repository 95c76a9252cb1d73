#include "runtime-shim/pass_through.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "oci-config/base/files.h"
#include "runtime-shim/config.h"
#include "runtime-shim/low_level.h"
#include "runtime-shim/low_level_key.h"

namespace hami::shim {

namespace {

constexpr std::string_view kVersionLine = "hami-runtime version " HAMI_VERSION "\n";

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

}  // namespace

Error pass_through(const oci::Invocation& invocation, char* const* argv) {
  if (invocation.version) (void)!::write(STDOUT_FILENO, kVersionLine.data(), kVersionLine.size());
  const char* path = std::getenv("PATH");
  auto program = find_low_level(configured_programs(), path == nullptr ? "" : path);
  if (!program) return std::move(program).error();
  return become(*program, argv);
}

}  // namespace hami::shim
