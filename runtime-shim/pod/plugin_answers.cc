#include "runtime-shim/pod/plugin_answers.h"

#include <algorithm>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/checkpoint.h"

namespace hami::shim {

namespace {

constexpr std::size_t kMaxCheckpointBytes = 32U << 20U;
// Read like the annotation in which a device plugin names CDI devices.
constexpr const char* kCdiAnnotation = "cdi.k8s.io/kubelet-checkpoint";

void add_answer(const schedulers::AllocateAnswer& answer, oci::ContainerView& view,
                std::vector<std::string>& cdi) {
  for (const auto& answered : answer.env) {
    std::erase_if(view.env, [&](const auto& variable) { return variable.first == answered.first; });
    view.env.emplace_back(answered);
  }
  for (const schedulers::AnsweredMount& mount : answer.mounts) {
    const bool there = std::any_of(view.mounts.begin(), view.mounts.end(), [&](const oci::Mount& other) {
      return other.destination == mount.container_path;
    });
    if (!there) view.mounts.push_back({mount.container_path, mount.host_path, "bind", {}});
  }
  for (const schedulers::AnsweredNode& node : answer.nodes) {
    auto& paths = view.device_paths;
    if (std::find(paths.begin(), paths.end(), node.container_path) == paths.end())
      paths.push_back(node.container_path);
  }
  for (const auto& [key, value] : answer.annotations) view.annotations.insert_or_assign(key, value);
  cdi.insert(cdi.end(), answer.cdi_devices.begin(), answer.cdi_devices.end());
}

}  // namespace

Result<std::vector<schedulers::AllocateAnswer>> read_answers(const std::string& path, const std::string& pod,
                                                             const std::string& container) {
  std::vector<schedulers::AllocateAnswer> out;
  auto text = files::read_trusted(path, kMaxCheckpointBytes, files::Trust::root_owned);
  if (!text && text.error().code == Errc::not_found) return out;
  if (!text) return fail(std::move(text).error());
  HAMI_TRY(auto entries, schedulers::read_checkpoint(*text, pod, container));
  for (auto& entry : entries) out.push_back(std::move(entry.answer));
  return out;
}

oci::ContainerView with_answers(oci::ContainerView view,
                                const std::vector<schedulers::AllocateAnswer>& answers) {
  std::vector<std::string> cdi;
  for (const schedulers::AllocateAnswer& answer : answers) add_answer(answer, view, cdi);
  if (!cdi.empty()) view.annotations.insert_or_assign(kCdiAnnotation, text::join(cdi, ","));
  return view;
}

}  // namespace hami::shim
