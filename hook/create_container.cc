#include "hook/create_container.h"

#include <fcntl.h>
#include <sched.h>

#include "hook/ldcache.h"
#include "hook/proc_override.h"
#include "hook/root.h"
#include "hook/trusted_file.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "oci-config/view.h"
#include "vendors/plan_json.h"

namespace hami::hook {

namespace {

Result<vendors::HookPlan> read_plan(const std::string& path) {
  HAMI_TRY(const UniqueFd file, open_trusted(path));
  HAMI_TRY(const std::string text, files::read_all(file.get(), path, vendors::kMaxPlanBytes));
  return vendors::parse_plan(text);
}

Result<> carry_out(const vendors::HookPlan& plan, const Root& root) {
  // Before anything is written: a plan that cannot be carried out leaves as little as possible behind.
  for (const vendors::ProcOverride& item : plan.proc_overrides) HAMI_CHECK(override_proc_file(root, item));
  for (const vendors::Link& link : plan.links) HAMI_CHECK(root.link(link.path, link.target));
  if (plan.ldcache_dirs.empty()) return {};
  return update_ldcache(root, plan);
}

// The process is the runtime's child and waits for us, so its number cannot become somebody else's.
Result<> enter_mount_namespace(int pid) {
  if (pid <= 1) return fail(Errc::invalid_spec, "the container state names no process of the container");
  const std::string path = text::cat({"/proc/", text::number(static_cast<std::uint64_t>(pid)), "/ns/mnt"});
  const UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return fail_errno("open", path);
  if (::setns(space.get(), CLONE_NEWNS) != 0) return fail_errno("enter", path);
  return {};
}

}  // namespace

Result<std::string> rootfs_path(const oci::HookState& state) {
  std::string path = state.root;
  if (path.empty()) {
    const std::string config = state.bundle + "/config.json";
    HAMI_TRY(const std::string text, files::read(config, oci::kMaxDocumentBytes));
    HAMI_TRY(const oci::Document document, oci::Document::parse(text));
    HAMI_TRY(const oci::ContainerView view, oci::view(document));
    path = view.rootfs;
  }
  if (path.empty()) return fail(Errc::invalid_spec, "the bundle names no root file system");
  return path.front() == '/' ? path : text::cat({state.bundle, "/", path});
}

Result<> create_container(Stage stage, const std::string& plan_path, std::string_view state_text,
                          const std::string& root_path) {
  HAMI_TRY(const vendors::HookPlan plan, read_plan(plan_path));
  if (plan.empty()) return {};
  HAMI_TRY(const oci::HookState state, oci::parse_state(state_text));
  if (stage == Stage::create_runtime) HAMI_CHECK(enter_mount_namespace(state.pid));
  std::string path = root_path;
  if (path.empty()) {
    HAMI_TRY(path, rootfs_path(state));
  }
  HAMI_TRY(const Root root, Root::open(path));
  return carry_out(plan, root);
}

}  // namespace hami::hook
