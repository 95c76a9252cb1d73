#include <unistd.h>

#include <cstdlib>
#include <span>
#include <string>

#include "containerd/shim/launcher.h"
#include "oci-config/base/files.h"
#include "oci-config/base/log.h"

namespace {

using hami::Errc;
using hami::Result;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kHop = "HAMI_SHIM_HOP";
constexpr std::size_t kMaxOptions = 4U << 20U;

bool is_start(std::span<const char* const> argv) {
  return !argv.empty() && std::string_view(argv.back()) == "start";
}

// The options are looked at, then given on unread.
Result<> pass_input_on() {
  HAMI_TRY(const std::string options,
           hami::files::read_all(STDIN_FILENO, "the runtime options", kMaxOptions));
  if (hami::containerd::carries_unusable_options(options)) {
    return hami::fail(
        Errc::invalid_config,
        "the runtime handler has an options table, which this runtime_type cannot pass on",
        "remove the options table, or use runtime_type \"io.containerd.runc.v2\" with BinaryName = "
        "\"/usr/bin/hami-runtime\"");
  }
  HAMI_TRY(const hami::UniqueFd input, hami::containerd::keep_input(options));
  if (::dup2(input.get(), STDIN_FILENO) < 0) return hami::fail_errno("give on", "the runtime options");
  return {};
}

Result<> become_stock_shim(std::span<char* const> argv) {
  if (std::getenv(kHop) != nullptr) {
    return hami::fail(Errc::invalid_config, "the stock shim is this program again", "reinstall containerd");
  }
  const char* path = std::getenv("PATH");
  const std::string search = path == nullptr ? kDefaultPath : path;
  const std::span<const char* const> words(argv.data(), argv.size());
  HAMI_TRY(const std::string shim,
           hami::containerd::find_stock_shim(hami::containerd::shim_candidates(words, search)));
  if (is_start(words)) HAMI_CHECK(pass_input_on());
  if (::setenv(kHop, "1", 1) != 0 ||
      ::setenv("PATH", hami::containerd::with_shim_path(search).c_str(), 1) != 0) {
    return hami::fail_errno("set", "the environment of the shim");
  }
  ::execv(shim.c_str(), argv.data());
  return hami::fail_errno("execute", shim);
}

}  // namespace

// argv as containerd gives it to a shim, or for `-v` and `-info`; returns only on failure.
int main(int argc, char** argv) {
  // execv wants the terminating null behind the span.
  const auto result = become_stock_shim(std::span<char* const>(argv, static_cast<std::size_t>(argc)));
  hami::report({"containerd-shim-hami-v2", "", hami::LogFormat::text}, result.error());
  return 1;
}
