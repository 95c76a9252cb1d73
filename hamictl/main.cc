#include <unistd.h>

#include <cstdio>
#include <string>

#include "hamictl/arguments.h"
#include "hamictl/configure.h"
#include "hamictl/leases.h"
#include "hamictl/pod.h"
#include "oci-config/base/log.h"
#include "oci-config/base/text.h"

namespace {

using hami::Errc;
using hami::Result;
using hami::hamictl::Arguments;

constexpr const char* kUsage =
    "hamictl: administration of the HAMi container runtime on this node\n"
    "\n"
    "  hamictl configure --engine docker|containerd|crio|podman [--set-default] [--runtime-name NAME]\n"
    "                    [--runtime-path PATH] [--cdi] [--config FILE] [--dry-run] [--reload] [--undo]\n"
    "  hamictl ps [--json]                 the slices that containers hold\n"
    "  hamictl release --stale | NAME      end the leases of containers that are gone\n"
    "  hamictl pod show FILE|- [--json]    what schedulers' annotations of a Pod (its JSON) say\n"
    "  hamictl pod rewrite FILE|-          the annotations, decoded and encoded again\n"
    "  hamictl recipe check FILE           is this recipe right\n"
    "  hamictl recipe test FILE [--golden DIR [--update]]   try it on the node its tests describe (root)\n"
    "  hamictl recipe show VENDOR          what a recipe can do\n"
    "  hamictl recipe import FILE RECIPE   custom resource definitions (ConfigMaps) as an overlay\n"
    "  hamictl recipe table                the same of all of them, as Markdown\n"
    "  hamictl cdi generate [VENDOR...] [--output DIR]   this node's devices as CDI specifications\n"
    "  hamictl cdi list | check [FILE...]  what specifications name, and whether they are right\n"
    "  hamictl --version | --help\n"
    "\n"
    "  --spec-dirs A,B   cdi: where specifications are (/etc/cdi,/run/cdi)\n"
    "  --spec-version V  cdi generate: of an engine that reads no newer one, 0.5.0 to 1.1.0\n"
    "  --recipes DIR     recipe: where other recipes are (/usr/share/hami/vendors, /etc/hami/vendors.d)\n"
    "  --state-dir DIR   ps, release: the ledger's directory (/run/hami);\n"
    "                    configure: where the original file is kept (/var/lib/hami/configure)\n";

// Exit statuses, by the numbers of sysexits.h.
int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_config:
    case Errc::invalid_request:
    case Errc::invalid_spec:
      return 65;
    case Errc::not_found:
      return 66;
    case Errc::exhausted:
      return 69;
    case Errc::internal:
      return 70;
    case Errc::io:
      return 74;
    case Errc::denied:
      return 77;
  }
  return 70;
}

Result<std::string> run_configure(const Arguments& arguments) {
  if (arguments.names.empty()) {
    return hami::fail(Errc::invalid_config, "configure: which engine?",
                      "add --engine docker, containerd, crio or podman");
  }
  HAMI_TRY(const auto report, hami::hamictl::configure(arguments.configure));
  if (report.diff.empty()) return hami::text::cat({report.file, ": nothing to change\n"});
  const std::string next = report.next.empty() ? "" : report.next + "\n";
  if (arguments.configure.dry_run) return report.diff;
  return hami::text::cat(
      {report.diff, report.file, arguments.configure.undo ? ": restored\n" : ": written\n", next});
}

Result<std::string> run_release(const Arguments& arguments) {
  if (arguments.stale) return hami::hamictl::release_stale(arguments.state_dir);
  if (arguments.names.size() == 1)
    return hami::hamictl::release_one(arguments.state_dir, arguments.names.front());
  return hami::fail(Errc::invalid_config, "release: which lease?",
                    "give --stale, or one name from hamictl ps");
}

Result<std::string> run_recipe(const Arguments& arguments) {
  if (arguments.names.size() == 1 && arguments.names.front() == "table")
    return hami::hamictl::recipe_table(arguments.recipe);
  if (arguments.names.size() == 3 && arguments.names.front() == "import")
    return hami::hamictl::import_recipe(arguments.names[1], arguments.names[2]);
  if (arguments.names.size() != 2)
    return hami::fail(Errc::invalid_config, "recipe: what?", "check FILE, test FILE or show VENDOR");
  const std::string& action = arguments.names.front();
  const std::string& name = arguments.names.back();
  if (action == "check") return hami::hamictl::check_recipe(name, arguments.recipe);
  if (action == "test") return hami::hamictl::test_recipe(name, arguments.recipe);
  if (action == "show") return hami::hamictl::show_recipe(name, arguments.recipe);
  return hami::fail(Errc::invalid_config,
                    hami::text::cat({"recipe: unknown action ", hami::text::quote(action)}),
                    "check FILE, test FILE or show VENDOR");
}

Result<std::string> run_pod(const Arguments& arguments) {
  if (arguments.names.size() == 2 && arguments.names.front() == "show")
    return hami::hamictl::show_pod(arguments.names[1], arguments.json);
  if (arguments.names.size() == 2 && arguments.names.front() == "rewrite")
    return hami::hamictl::rewrite_pod(arguments.names[1]);
  return hami::fail(Errc::invalid_config, "pod: what?", "show FILE or rewrite FILE; - is the standard input");
}

Result<std::string> run_cdi(const Arguments& arguments) {
  const std::string action = arguments.names.empty() ? "" : arguments.names.front();
  const std::vector<std::string> rest(arguments.names.begin() + (action.empty() ? 0 : 1),
                                      arguments.names.end());
  if (action == "generate") return hami::hamictl::generate_cdi(rest, arguments.cdi);
  if (action == "list") return hami::hamictl::list_cdi(arguments.cdi);
  if (action == "check") return hami::hamictl::check_cdi(rest, arguments.cdi);
  return hami::fail(Errc::invalid_config, "cdi: what?", "generate, list or check");
}

Result<std::string> run(const Arguments& arguments) {
  if (arguments.help) return std::string(kUsage);
  if (arguments.version) return std::string("hamictl version " HAMI_VERSION "\n");
  if (arguments.verb == "configure") return run_configure(arguments);
  if (arguments.verb == "ps") return hami::hamictl::list_leases(arguments.state_dir, arguments.json);
  if (arguments.verb == "release") return run_release(arguments);
  if (arguments.verb == "cdi") return run_cdi(arguments);
  if (arguments.verb == "pod") return run_pod(arguments);
  if (arguments.verb == "recipe") return run_recipe(arguments);
  if (arguments.verb.empty()) return hami::fail(Errc::invalid_config, "no command", "see hamictl --help");
  return hami::fail(Errc::invalid_config,
                    hami::text::cat({"unknown command ", hami::text::quote(arguments.verb)}),
                    "see hamictl --help");
}

int report_failure(const hami::Error& error) {
  hami::report({"hamictl", "", hami::LogFormat::text}, error);
  return status_of(error.code);
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = hami::hamictl::parse_arguments({argv, static_cast<std::size_t>(argc)});
  if (!arguments) {
    report_failure(arguments.error());
    return 64;  // EX_USAGE
  }
  const auto text = run(*arguments);
  if (!text) return report_failure(text.error());
  const bool written = std::fputs(text->c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return written ? 0 : 74;
}
