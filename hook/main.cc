// hami-hook: the OCI lifecycle hooks of a container with accelerators.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "hook/confine.h"
#include "hook/create_container.h"
#include "hook/options.h"
#include "hook/release.h"
#include "oci-config/base/files.h"
#include "oci-config/base/log.h"

namespace {

using hami::hook::Options;
using hami::hook::Profile;
using hami::hook::Verb;

// Longer than ldconfig gets, shorter than an engine's patience.
constexpr unsigned kSeconds = 30;

hami::Result<> prepare_container(const Options& options) {
  HAMI_CHECK(hami::hook::confine(Profile::create_container));
  HAMI_TRY(const std::string state, hami::files::read_all(STDIN_FILENO, "stdin", hami::oci::kMaxStateBytes));
  return hami::hook::create_container(options.plan, state, options.root);
}

// Takes the container state whether it is needed or not: crun dies of SIGPIPE when a hook ends before crun
// has written it.
void drain_state() {
  static_cast<void>(hami::files::read_all(STDIN_FILENO, "stdin", hami::oci::kMaxStateBytes));
}

hami::Result<> release_lease(const Options& options) {
  drain_state();
  HAMI_CHECK(hami::hook::confine(Profile::release));
  return hami::hook::release(options.key, options.state_dir);
}

// crun shows the exit status of a hook and nothing else, so the reason also goes into a file beside the plan;
// where that directory cannot be written (user namespaces) stderr has to do.
std::string log_beside(const std::string& plan) {
  const std::string directory = hami::files::dir_name(plan);
  if (plan.empty() || ::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) != 0) return {};
  return directory + "/hook.log";
}

int finish(const hami::Result<>& result, std::string_view doing, const std::string& log) {
  if (result) return EXIT_SUCCESS;
  hami::Error error = result.error();
  hami::report({"hami-hook", log, hami::LogFormat::text}, std::move(error).within(doing));
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto isolated = hami::hook::isolate_process(kSeconds); !isolated)
    return finish(isolated, "start", {});
  const auto options = hami::hook::parse_options({argv + 1, argv + argc});
  if (!options) {
    drain_state();
    return finish(hami::fail(options.error()), "command line", {});
  }

  switch (options->verb) {
    case Verb::create_container:
      return finish(prepare_container(*options), "create-container", log_beside(options->plan));
    case Verb::release:
      // Whatever went wrong, the container is gone: the next allocation ends its lease. Deleting must not
      // fail.
      static_cast<void>(finish(release_lease(*options), "release", {}));
      return EXIT_SUCCESS;
  }
  return EXIT_FAILURE;
}
