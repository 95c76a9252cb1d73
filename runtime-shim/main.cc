#include <span>
#include <string>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "oci-config/invocation.h"
#include "runtime-shim/create.h"
#include "runtime-shim/low_level/pass_through.h"
#include "runtime-shim/own_log.h"

namespace {

using hami::Error;
using hami::oci::Invocation;
using hami::oci::Subcommand;

constexpr std::string_view kProgram = "hami-runtime";

Error within(const Invocation& invocation, Error error) {
  std::string doing(invocation.command);
  if (!invocation.container_id.empty()) doing += " " + hami::text::quote(invocation.container_id);
  return hami::shim::in_plain_words(std::move(error).within(doing));
}

// Returns only on failure.
Error run(const Invocation& invocation, char* const* argv, std::string& log) {
  const bool decides =
      invocation.subcommand != Subcommand::none && invocation.subcommand != Subcommand::other;
  if (!decides) return hami::shim::pass_through(invocation, argv);
  auto config = hami::shim::load_config(hami::shim::config_path());
  if (!config) return within(invocation, std::move(config).error());
  log = config->log;
  return within(invocation, hami::shim::create(invocation, argv, *config));
}

}  // namespace

// argv as the engine gives it to an OCI runtime; the exit status of a failure is runc's.
int main(int argc, char** argv) {
  const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
  const Invocation invocation = hami::oci::parse_invocation(words);
  std::string log;
  const Error error = run(invocation, argv, log);
  hami::shim::append_log(log, "error", error.line());
  hami::report({std::string(kProgram), std::string(invocation.log), invocation.log_format}, error);
  return 1;
}
