#include "runtime-shim/precreate.h"

#include "oci-config/apply.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "runtime-shim/preparation.h"

namespace hami::shim {

namespace {

constexpr std::size_t kIdDigits = 64;
constexpr const char* kContainerEnv = "/run/.containerenv";
// Never empty: a hook without variables may get somebody else's.
constexpr const char* kHookPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kHookSeconds = 30;

bool is_id(std::string_view word) {
  return word.size() == kIdDigits && word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The last 64 hexadecimal digits that stand alone between separators of paths and of systemd's cgroup names.
std::string last_id(std::string_view path) {
  std::string found;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= path.size(); ++i) {
    const bool separates =
        i == path.size() || path[i] == '/' || path[i] == '-' || path[i] == ':' || path[i] == '.';
    if (!separates) continue;
    if (is_id(path.substr(begin, i - begin))) found = path.substr(begin, i - begin);
    begin = i + 1;
  }
  return found;
}

}  // namespace

Result<std::string> podman_container_id(const oci::ContainerView& view) {
  std::string id = last_id(view.cgroups_path);
  if (!id.empty()) return id;
  for (const oci::Mount& mount : view.mounts) {
    if (mount.destination == kContainerEnv) id = last_id(mount.source);
  }
  if (!id.empty()) return id;
  return fail(Errc::invalid_spec,
              "the container's id is neither in linux.cgroupsPath nor in a mount of podman",
              "use podman --runtime /usr/bin/hami-runtime instead of the hook");
}

Result<std::string> precreate(const std::string& text, const Config& config, pid_t creator) {
  if (!oci::may_contain(text, request_needles())) return text;
  HAMI_TRY(oci::Document document, oci::Document::parse(text));
  HAMI_TRY(oci::ContainerView view, oci::view(document));
  Preparation preparation(config, {});
  HAMI_TRY(const auto request, preparation.request_of(view));
  if (!request) return text;
  if (view.annotation(kAllocatedAnnotation)) {
    return fail(Errc::invalid_spec,
                text::cat({"annotation '", kAllocatedAnnotation, "' is not the user's to set"}),
                "leave it out; hami-runtime and this hook must not both prepare a container");
  }
  if (!view.has_process || view.rootfs.empty() || view.rootfs.front() != '/')
    return fail(Errc::invalid_spec, "process or an absolute root.path is missing");
  HAMI_TRY(const std::string id, podman_container_id(view));
  preparation.set_name({id, "", "/", creator});
  HAMI_TRY(std::string edited, preparation.edit(std::move(document), std::move(view), *request));
  preparation.keep();
  return edited;
}

Result<std::string> refusing(const std::string& text, const Config& config, const std::string& why) {
  HAMI_TRY(oci::Document document, oci::Document::parse(text));
  oci::ContainerEdits edits;
  edits.hooks.push_back({oci::HookStage::create_runtime,
                         config.paths.hook,
                         {"hami-hook", "refuse", "--reason", why},
                         {kHookPath},
                         kHookSeconds});
  HAMI_TRY(const oci::Document edited, oci::apply(std::move(document), edits));
  return edited.serialize();
}

}  // namespace hami::shim
