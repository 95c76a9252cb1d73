// hami-hook: the OCI lifecycle hooks of a container with accelerators.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
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
#include "oci-config/document.h"
#include "oci-config/state.h"
#include "runtime-shim/config.h"
#include "runtime-shim/create.h"
#include "runtime-shim/own_log.h"
#include "runtime-shim/precreate.h"
#include "runtime-shim/subdevices.h"

namespace {

using hami::hook::Options;
using hami::hook::Profile;
using hami::hook::Stage;
using hami::hook::Verb;

// Longer than ldconfig gets, shorter than an engine's patience.
constexpr unsigned kSeconds = 30;

hami::Result<> prepare_container(const Options& options, Profile profile, Stage stage) {
  HAMI_CHECK(hami::hook::confine(profile));
  HAMI_TRY(const std::string state, hami::files::read_all(STDIN_FILENO, "stdin", hami::oci::kMaxStateBytes));
  return hami::hook::create_container(stage, options.plan, state, options.root);
}

int finish(const hami::Result<>& result, std::string_view doing, const std::string& log) {
  if (result) return EXIT_SUCCESS;
  hami::Error error = result.error();
  hami::report({"hami-hook", log, hami::LogFormat::text}, std::move(error).within(doing));
  return EXIT_FAILURE;
}

// Takes the container state whether it is needed or not: crun dies of SIGPIPE when a hook ends before crun
// has written it.
void drain_state() {
  static_cast<void>(hami::files::read_all(STDIN_FILENO, "stdin", hami::oci::kMaxStateBytes));
}

// What drivers made for containers that are gone needs the vendors' programs, which no confinement fits.
hami::Result<> confine_release(const std::string& state_dir) {
  if (hami::shim::has_subdevices(state_dir)) return {};
  // Who waits for the ledger waits for us, who have the lock in between; see state/hurry.h.
  ::setpriority(PRIO_PROCESS, 0, -20);
  return hami::hook::confine(Profile::release);
}

void reclaim(const std::string& state_dir) {
  for (const std::string& problem : hami::shim::reclaim_subdevices(state_dir))
    static_cast<void>(finish(hami::fail(hami::Errc::io, problem), "release", {}));
}

hami::Result<> release_lease(const Options& options) {
  drain_state();
  HAMI_CHECK(confine_release(options.state_dir));
  HAMI_CHECK(hami::hook::release(options.key, options.state_dir));
  reclaim(options.state_dir);
  return {};
}

hami::Result<> release_by_state(const Options& options) {
  HAMI_CHECK(confine_release(options.state_dir));
  HAMI_TRY(const std::string state, hami::files::read_all(STDIN_FILENO, "stdin", hami::oci::kMaxStateBytes));
  HAMI_CHECK(hami::hook::release_container(state, options.state_dir));
  reclaim(options.state_dir);
  return {};
}

hami::Result<> write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hami::fail_errno("write", "config.json");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// Runs as the engine's child and does what hami-runtime does, so it keeps what that needs. A refusal goes
// into the answer: the engine shows what a hook of the container says, and nothing of this one.
hami::Result<> edit_config(const std::string& config_file, pid_t engine) {
  HAMI_TRY(const std::string text,
           hami::files::read_all(STDIN_FILENO, "config.json", hami::oci::kMaxDocumentBytes));
  HAMI_TRY(const auto config, hami::shim::load_config(config_file));
  auto edited = hami::shim::precreate(text, config, engine);
  if (edited) return write_out(*edited);
  const std::string why = hami::shim::in_plain_words(edited.error()).line();
  hami::shim::append_log(config.log, "error", why);
  HAMI_TRY(const std::string refusal, hami::shim::refusing(text, config, why));
  return write_out(refusal);
}

// crun shows the exit status of a hook and nothing else, so the reason also goes into a file beside the plan;
// where that directory cannot be written (user namespaces) stderr has to do.
std::string log_beside(const std::string& plan) {
  const std::string directory = hami::files::dir_name(plan);
  if (plan.empty() || ::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) != 0) return {};
  return directory + "/hook.log";
}

int run(const Options& options, const std::string& config_file) {
  switch (options.verb) {
    case Verb::create_container:
      return finish(prepare_container(options, Profile::create_container, Stage::create_container),
                    "create-container", log_beside(options.plan));
    case Verb::prestart:
    case Verb::create_runtime:
      return finish(prepare_container(options, Profile::create_runtime, Stage::create_runtime),
                    "create-runtime", log_beside(options.plan));
    case Verb::release:
      // Whatever went wrong, the container is gone: the next allocation ends its lease. Deleting must not
      // fail.
      static_cast<void>(finish(release_lease(options), "release", {}));
      return EXIT_SUCCESS;
    case Verb::poststop:
      static_cast<void>(finish(release_by_state(options), "poststop", {}));
      return EXIT_SUCCESS;
    case Verb::precreate:
      return finish(edit_config(config_file, ::getppid()), "precreate", {});
    case Verb::refuse:
      drain_state();
      return finish(hami::fail(hami::Errc::denied, options.reason), "start refused", {});
  }
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  // Of the hook's own environment, before it is cleared.
  const std::string config_file = hami::shim::config_path();
  if (const auto isolated = hami::hook::isolate_process(kSeconds); !isolated)
    return finish(isolated, "start", {});
  const auto options = hami::hook::parse_options({argv + 1, argv + argc});
  if (!options) {
    drain_state();
    return finish(hami::fail(options.error()), "command line", {});
  }
  return run(*options, config_file);
}
