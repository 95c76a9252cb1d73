#include "runtime-shim/pod/plugin_answers.h"

#include <algorithm>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/pod/evidence.h"

namespace hami::shim {

namespace {

constexpr std::size_t kMaxCheckpointBytes = 32U << 20U;
// Read like the annotation in which a device plugin names CDI devices.
constexpr const char* kCdiAnnotation = "cdi.k8s.io/kubelet-checkpoint";
// Between a device and the number of one of its shares, in the ids of NVIDIA's plugin.
constexpr std::string_view kReplica = "::";

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

bool is_shared(const schedulers::CheckpointEntry& entry) {
  return std::any_of(entry.devices.begin(), entry.devices.end(),
                     [](const std::string& id) { return id.find(kReplica) != std::string::npos; });
}

// What one answer names, by its variables and marks alone.
schedulers::Evidence named_by(const schedulers::CheckpointEntry& entry, const vendors::Recipe& recipe) {
  schedulers::AllocateAnswer named;
  named.env = entry.answer.env;
  named.mounts = entry.answer.mounts;
  oci::ContainerView view;
  std::vector<std::string> cdi;
  add_answer(named, view, cdi);
  auto layers = evidence_of(view, recipe);
  return layers.empty() ? schedulers::Evidence{} : std::move(layers.front());
}

schedulers::Group group_of(const schedulers::Evidence& evidence, bool is_shared) {
  const bool has_limits = !evidence.memory.empty() || evidence.cores;
  schedulers::Group out;
  for (std::size_t i = 0; i < evidence.devices.size(); ++i) {
    const auto memory = i < evidence.memory.size() ? evidence.memory[i] : std::nullopt;
    const auto own = i < evidence.cores_each.size() ? evidence.cores_each[i] : std::nullopt;
    const std::uint32_t cores = own.value_or(evidence.cores.value_or(has_limits || is_shared ? 0 : 100));
    const bool fits = memory && *memory < static_cast<std::uint64_t>(schedulers::kAllMemory);
    out.push_back({evidence.devices[i],
                   {},
                   fits ? static_cast<std::int32_t>(*memory) : schedulers::kAllMemory,
                   static_cast<std::int32_t>(cores)});
  }
  return out;
}

bool has_decision(const std::vector<PodDecision>& decisions, const std::string& vendor) {
  return std::any_of(decisions.begin(), decisions.end(),
                     [&](const PodDecision& decision) { return decision.vendor == vendor; });
}

}  // namespace

Result<std::vector<schedulers::CheckpointEntry>> read_answers(const std::string& path, const std::string& pod,
                                                              const std::string& container) {
  auto text = files::read_trusted(path, kMaxCheckpointBytes, files::Trust::root_owned);
  if (!text && text.error().code == Errc::not_found) return std::vector<schedulers::CheckpointEntry>();
  if (!text) return fail(std::move(text).error());
  return schedulers::read_checkpoint(*text, pod, container);
}

oci::ContainerView with_answers(oci::ContainerView view,
                                const std::vector<schedulers::CheckpointEntry>& answers) {
  std::vector<std::string> cdi;
  for (const schedulers::CheckpointEntry& entry : answers) add_answer(entry.answer, view, cdi);
  if (!cdi.empty()) view.annotations.insert_or_assign(kCdiAnnotation, text::join(cdi, ","));
  return view;
}

void add_plugins_decisions(const std::vector<schedulers::CheckpointEntry>& answers,
                           const std::vector<vendors::Recipe>& recipes, std::vector<PodDecision>& decisions) {
  for (const vendors::Recipe& recipe : recipes) {
    if (has_decision(decisions, recipe.metadata.name)) continue;
    PodDecision decision{recipe.metadata.name, {}, false, {{}}, true};
    for (const schedulers::CheckpointEntry& entry : answers) {
      const auto group = group_of(named_by(entry, recipe), is_shared(entry));
      if (group.empty()) continue;
      if (decision.key.empty()) decision.key = text::cat({kRecorded, entry.resource});
      decision.groups[0].insert(decision.groups[0].end(), group.begin(), group.end());
    }
    if (!decision.key.empty()) decisions.push_back(std::move(decision));
  }
}

}  // namespace hami::shim
