#include "runtime-shim/pod/decision.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "runtime-shim/pod/companions.h"
#include "runtime-shim/pod/evidence.h"
#include "runtime-shim/request/values.h"
#include "runtime-shim/request/variables.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/companions.h"
#include "runtime-shim/schedulers/dra.h"
#include "runtime-shim/schedulers/keys.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::shim {

namespace {

constexpr const char* kKoordinator = "scheduling.koordinator.sh/device-allocated";
constexpr const char* kGpuManager = "tencent.com/predicate-gpu-idx";
// Source: Volcano's guide to GPU sharing.
constexpr const char* kVolcanoCards = "volcano.sh/gpu-index";
constexpr std::string_view kVolcanoTotal = "VOLCANO_GPU_MEMORY_TOTAL";
constexpr std::string_view kVolcanoShare = "VOLCANO_GPU_ALLOCATED";
// KAI's binder writes the limit into the container; these say that it did.
constexpr const char* kKaiKeys[] = {"gpu-memory", "gpu-fraction"};

constexpr std::string_view kClaim = "claim ";
constexpr std::string_view kCdiPrefix = "cdi.k8s.io/";

using Annotations = std::map<std::string, std::string>;

struct Sources {
  std::vector<PodDecision> decisions;
  std::vector<PodDecision> remains;  // of lists that plugins work through, for vendors that have no other
  std::vector<Companion> companions;
};

Result<> add_list(const Annotations& annotations, const std::string& key, const Policy& policy,
                  Sources& out) {
  HAMI_TRY(auto allocation, schedulers::pod_allocation(annotations, key));
  if (!allocation || allocation->vendor.empty() || allocation->groups.empty()) return {};
  if (allocation->scheduler == schedulers::Scheduler::volcano) {
    for (schedulers::Group& group : allocation->groups)
      HAMI_CHECK(schedulers::scale_memory(group, policy.volcano_memory_factor, key));
  }
  (allocation->worked_through ? out.remains : out.decisions)
      .push_back({allocation->vendor, allocation->key, true, std::move(allocation->groups)});
  return {};
}

Result<> add_companion(const Annotations& annotations, const std::string& key, Sources& out) {
  HAMI_TRY(auto companion, read_companion(annotations, key));
  if (companion) out.companions.push_back(*std::move(companion));
  return {};
}

// Its list does not say whose devices it is about; the other annotations that it writes do.
std::string koordinators_vendor(const Annotations& annotations) {
  if (annotations.contains("huawei.com/npu-core")) return "ascend";
  if (annotations.contains("CAMBRICON_DSMLU_PROFILE")) return "cambricon";
  return annotations.contains("metax-tech.com/gpu-devices-allocated") ? "metax" : "nvidia";
}

Result<> add_koordinator(const Annotations& annotations, std::vector<PodDecision>& out) {
  const auto value = annotations.find(kKoordinator);
  if (value == annotations.end()) return {};
  HAMI_TRY(const auto devices, schedulers::parse_koordinator(value->second));
  HAMI_TRY(auto group, schedulers::koordinator_group(devices, "gpu"));
  if (!group.empty())
    out.push_back({koordinators_vendor(annotations), kKoordinator, false, {std::move(group)}});
  return {};
}

Result<> add_gpu_manager(const Annotations& annotations, std::vector<PodDecision>& out) {
  HAMI_TRY(auto groups, schedulers::gpu_manager_groups(annotations));
  if (!groups.empty()) out.push_back({"nvidia", kGpuManager, true, std::move(groups)});
  return {};
}

// What Volcano's older device plugin says that the container has of each card; whole cards come without.
std::int32_t share_of_card(const oci::ContainerView& container) {
  const auto is_named = [](std::string_view name) {
    return [name](const auto& pair) { return pair.first == name; };
  };
  const auto& env = container.env;
  if (std::none_of(env.begin(), env.end(), is_named(kVolcanoTotal))) return schedulers::kAllMemory;
  // The first counts: the container's own come behind the plugin's.
  const auto share = std::find_if(env.begin(), env.end(), is_named(kVolcanoShare));
  const auto units = share == env.end() ? std::nullopt : text::parse_u64(share->second);
  return units && *units != 0 && *units < INT32_MAX ? static_cast<std::int32_t>(*units)
                                                    : schedulers::kAllMemory;
}

// Of the scheduler's GPU sharing, before its vGPUs: the numbers of the Pod's cards.
Result<> add_volcano_cards(const oci::ContainerView& container, const Policy& policy,
                           std::vector<PodDecision>& out) {
  const auto value = container.annotation(kVolcanoCards);
  if (!value || value->empty()) return {};
  auto cards = schedulers::parse_numbers(*value);
  if (!cards)
    return fail(std::move(cards).error().within(text::cat({"annotation ", text::quote(kVolcanoCards)})));
  schedulers::Group group;
  for (const auto card : *cards) group.push_back({text::number(card), "NVIDIA", share_of_card(container), 0});
  HAMI_CHECK(schedulers::scale_memory(group, policy.volcano_memory_factor, kVolcanoCards));
  out.push_back({"nvidia", kVolcanoCards, false, {std::move(group)}});
  return {};
}

void add_kai(const oci::ContainerView& container, std::vector<PodDecision>& out) {
  for (const char* key : kKaiKeys) {
    if (!container.annotation(key)) continue;
    out.push_back({"nvidia", key, false, {}});
    return;
  }
}

std::string origin_of(std::string_view key) {
  if (key.starts_with(kClaim)) return text::cat({"resource ", key});
  if (key.starts_with(kRecorded))
    return text::cat({"the kubelet's record of ", text::quote(key.substr(kRecorded.size()))});
  return text::cat({"annotation ", text::quote(key)});
}

bool has_decision(const std::vector<PodDecision>& decisions, std::string_view vendor) {
  return std::any_of(decisions.begin(), decisions.end(),
                     [&](const PodDecision& decision) { return decision.vendor == vendor; });
}

// A driver of resource claims has the engine put devices and limits into the container, as CDI says, and
// leaves no annotation of its own but those names where the engine does not know CDI.
Result<> add_claim(const oci::ContainerView& container, std::vector<PodDecision>& out) {
  const auto add = [&](std::string_view claim) {
    const std::string key = text::cat({kClaim, claim});
    if (!has_decision(out, "nvidia")) out.push_back({"nvidia", key, false, {}});
  };
  for (const oci::Mount& mount : container.mounts) {
    const std::string_view claim = schedulers::claim_of_directory(mount.destination);
    if (!claim.empty()) add(claim);
  }
  for (const auto& [key, value] : container.annotations) {
    const auto names = key.starts_with(kCdiPrefix) ? schedulers::parse_cdi_names(value)
                                                   : Result<std::vector<schedulers::CdiName>>{};
    if (!names) continue;  // who reads the names for the engine says what is wrong with them
    for (const schedulers::CdiName& name : *names) {
      auto device = schedulers::parse_dra_device(name);
      if (!device) return fail(std::move(device).error().within(origin_of(key)));
      if (*device) add((*device)->claim);
    }
  }
  return {};
}

bool has_amounts(const schedulers::Group& group, const VendorRequest& request) {
  if (request.count && request.count->value != group.size()) return false;
  return std::all_of(group.begin(), group.end(), [&](const schedulers::DeviceRecord& record) {
    if (request.memory && static_cast<std::int64_t>(request.memory->value.whole_mib()) != record.memory)
      return false;
    return !request.cores || static_cast<std::int64_t>(request.cores->value.value) == record.cores;
  });
}

// Names of Pod limits may be there as annotations too; then some group must be what they say.
Result<> refuse_disagreement(const PodDecision& decision, const VendorRequest& request) {
  if (decision.groups.empty()) return {};
  const bool agrees =
      std::any_of(decision.groups.begin(), decision.groups.end(),
                  [&](const schedulers::Group& group) { return has_amounts(group, request); });
  if (agrees) return {};
  VendorRequest words = request;
  words.scheduled.reset();
  return disagreement(origin_of(decision.key), words.origin(), "devices");
}

std::string_view scheduler_of(const PodDecision& decision) {
  return std::string_view(decision.key).substr(0, decision.key.find('/'));
}

// Schedulers pad their lists differently.
std::vector<schedulers::Group> filled(std::vector<schedulers::Group> groups) {
  std::erase_if(groups, [](const schedulers::Group& group) { return group.empty(); });
  return groups;
}

// One scheduler may have several lists for a vendor, one for each chip; two schedulers decide the same.
Result<> refuse_two_schedulers(const std::vector<PodDecision>& decisions) {
  for (const PodDecision& one : decisions) {
    for (const PodDecision& other : decisions) {
      const bool both = one.vendor == other.vendor && scheduler_of(one) < scheduler_of(other);
      if (both && filled(one.groups) != filled(other.groups))
        return disagreement(origin_of(one.key), origin_of(other.key), "devices");
    }
  }
  return {};
}

// What a plugin has not blanked yet, and what a vendor's own annotation says, count where nothing else does.
void add_last_resorts(Sources& sources) {
  auto& out = sources.decisions;
  for (PodDecision& remains : sources.remains) {
    if (!has_decision(out, remains.vendor)) out.push_back(std::move(remains));
  }
  for (Companion& companion : sources.companions) {
    if (companion.groups.empty() || has_decision(out, companion.vendor)) continue;
    out.push_back({companion.vendor, companion.key, true, std::move(companion.groups)});
  }
}

Result<> refuse_other_devices(const Sources& sources) {
  for (const Companion& companion : sources.companions) {
    for (const PodDecision& decision : sources.decisions) {
      if (decision.key == companion.list && !agrees(companion, decision.groups))
        return disagreement(origin_of(decision.key), origin_of(companion.key), "devices");
    }
  }
  return {};
}

}  // namespace

Result<std::vector<PodDecision>> read_decisions(const oci::ContainerView& container, const Policy& policy,
                                                std::vector<std::string>* warnings) {
  Sources sources;
  auto& out = sources.decisions;
  if (!container.is_kubernetes()) return out;
  const auto add = [&](Result<> done) -> Result<> {
    if (done || !policy.lenient) return done;
    if (warnings != nullptr) warnings->push_back(text::cat({done.error().line(), ": taken as absent"}));
    return {};
  };
  // One by one: where policy is lenient, one that cannot be read says nothing about the others.
  for (const auto& [key, value] : container.annotations) {
    HAMI_CHECK(add(add_list(container.annotations, key, policy, sources)));
    HAMI_CHECK(add(add_companion(container.annotations, key, sources)));
  }
  HAMI_CHECK(add(add_koordinator(container.annotations, out)));
  HAMI_CHECK(add(add_gpu_manager(container.annotations, out)));
  HAMI_CHECK(add(add_volcano_cards(container, policy, out)));
  add_last_resorts(sources);
  HAMI_CHECK(refuse_two_schedulers(out));
  HAMI_CHECK(refuse_other_devices(sources));
  add_kai(container, out);
  HAMI_CHECK(add(add_claim(container, out)));
  return out;
}

const PodDecision* decision_for(const std::vector<PodDecision>& decisions,
                                const oci::ContainerView& container, const vendors::Recipe& recipe) {
  const PodDecision* first = nullptr;
  for (const PodDecision& decision : decisions) {
    if (decision.vendor != recipe.metadata.name) continue;
    if (first == nullptr) first = &decision;
    std::size_t layer = 0;
    const auto match = schedulers::match_any(decision.groups, evidence_of(container, recipe), {},
                                             schedulers::same_name, layer);
    const bool whole = match.kind == schedulers::Match::Kind::group;
    if (whole && !match.amounts_differ && !match.identities_differ) return &decision;
  }
  return first;
}

bool concerns(const PodDecision& decision, const oci::ContainerView& container,
              const vendors::Recipe& recipe) {
  const auto evidence = evidence_of(container, recipe);
  if (!decision.groups.empty()) return !evidence.empty();
  // Without groups only a device that is named can be given.
  return std::any_of(evidence.begin(), evidence.end(), [](const schedulers::Evidence& one) {
    return !one.devices.empty() || !one.nodes.empty();
  });
}

Result<> take_decision(const PodDecision& decision, const oci::ContainerView& container,
                       const vendors::Recipe& recipe, const Policy& policy, VendorRequest& request) {
  if (request.count || request.memory || request.cores) HAMI_CHECK(refuse_disagreement(decision, request));
  HAMI_CHECK(read_mode_variables(container, recipe, request));
  // A Pod's owner may not switch off what the scheduler counted on.
  const bool disabled = request.core_policy && request.core_policy->value == abi::CorePolicy::disable;
  if (disabled && policy.unenforced == Unenforced::refuse) request.core_policy.reset();
  request.scheduled = Scheduled{origin_of(decision.key), decision.key, decision.per_container,
                                decision.groups, evidence_of(container, recipe)};
  return {};
}

void silence(const oci::ContainerView& container, const vendors::Recipe& recipe,
             std::map<std::string, std::string>& variables) {
  if (!has_active_selector(container, recipe)) return;
  variables.insert(recipe.neutralize.env.begin(), recipe.neutralize.env.end());
}

}  // namespace hami::shim
