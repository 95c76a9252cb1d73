#include "runtime-shim/request/request.h"

#include <algorithm>
#include <array>

#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/evidence.h"
#include "runtime-shim/request/values.h"
#include "runtime-shim/request/variables.h"
#include "runtime-shim/request/words.h"
#include "vendors/cdi_inject.h"

namespace hami::shim {

namespace {

// Parts of the names of variables that ask for devices or limit them, of any vendor.
constexpr std::array<std::string_view, 6> kVariableParts{
    "HAMI_RESOURCES", "VISIBLE_DEVICES", "VISIBLE_CORES", "_LIMIT", "DOCKER_RESOURCE_", "PHY_CARDS"};
// End of the directory in which a device plugin marks devices by mounts.
constexpr std::string_view kMarkerPart = "-container-devices/";
// Of the directory that HAMi's driver of resource claims mounts.
constexpr std::string_view kClaimPart = "/vgpu/claims/";
// Resource names and our annotations are "<domain>/<name>".
constexpr std::array<std::string_view, 8> kDomainEnds{".com/", ".ai/", ".io/",  ".sh/",
                                                      ".org/", ".cn/", ".net/", ".dev/"};
// Domains whose annotations are about something else, in nearly every Pod.
constexpr std::array<std::string_view, 4> kForeignDomains{"kubernetes.io/", "k8s.io/", "containerd.io/",
                                                          "openshift.io/"};

// Annotations without a domain, by which KAI's scheduler is asked.
constexpr std::array<std::string_view, 2> kBareKeys{"gpu-memory", "gpu-fraction"};

// Annotations that name CDI devices: ours, and those that kubelet's plugins ask the engine with.
constexpr std::string_view kCdiKey = "hami.io/cdi-devices";
constexpr std::string_view kEngineCdiPrefix = "cdi.k8s.io/";
// Kinds that `hamictl cdi generate` makes for engines: other names of devices that recipes have, and count.
constexpr std::string_view kNeutralCdiVendor = "hami.io/";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <typename List>
bool contains_any(std::string_view text, const List& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains(text, part); });
}

// Whether variables may ask at all; `named`: they name devices as only a device plugin does.
bool variables_count(const oci::ContainerView& container, const Policy& policy, bool named) {
  switch (policy.env_requests) {
    case EnvRequests::always:
      return true;
    case EnvRequests::device_plugins:
      return named || !container.is_kubernetes();
    case EnvRequests::outside_kubernetes:
      return !container.is_kubernetes();
    case EnvRequests::privileged:
      return container.privileged;
    case EnvRequests::never:
      return false;
  }
  return false;
}

// "all" and "none" are what images carry by default: they yield to resource names. Named devices must agree.
Result<> reconcile_selector(VendorRequest& request, bool named_by_words) {
  if (!named_by_words || !request.selector) return {};
  if (request.selector->value.kind != Selector::Kind::named) {
    request.selector.reset();
    return {};
  }
  const bool agrees = !request.count || request.count->value == request.selector->value.names.size();
  if (agrees) return {};
  return disagreement(request.count->origin, request.selector->origin, "number of devices");
}

// True when anything is asked of this vendor; sets the number of devices where only amounts are there.
Result<bool> settle(VendorRequest& request, const Policy& policy) {
  if (request.count && request.count->value == 0) return false;
  if (request.count || request.selector) return true;
  if (!request.has_limit()) return false;
  if (policy.default_count == 0) {
    return fail(Errc::invalid_request,
                text::cat({request.origin(), " is there, but no number of ", request.vendor, " devices"}),
                "ask for a number of devices too, or set [policy] default_count in /etc/hami/config.toml");
  }
  request.count = {policy.default_count, request.origin()};
  return true;
}

// Leaves the modes that policy allows, and sets them where a request names none but may not have the usual
// one.
Result<> permit_modes(VendorRequest& request, const vendors::Recipe& recipe, const Policy& policy) {
  const auto is_allowed = [&](vendors::Mode mode) {
    const auto& allowed = policy.allowed_modes;
    return std::find(allowed.begin(), allowed.end(), mode) != allowed.end();
  };
  if (!request.modes) {
    if (!recipe.is_usual(vendors::Mode::hami_core) || is_allowed(vendors::Mode::hami_core)) return {};
    request.modes = {policy.allowed_modes, "configuration key 'policy.allowed_modes'"};
    std::erase_if(request.modes->value,
                  [&](vendors::Mode mode) { return !recipe.modes.contains(std::string(to_text(mode))); });
    if (!request.modes->value.empty()) return {};
    return fail(Errc::denied,
                text::cat({request.origin(), ": [policy] allowed_modes of this node has no mode of ",
                           request.vendor, " devices"}),
                "add one to it in /etc/hami/config.toml");
  }
  Names asked;
  for (const vendors::Mode mode : request.modes->value) asked.push_back(text::quote(to_text(mode)));
  std::erase_if(request.modes->value, [&](vendors::Mode mode) { return !is_allowed(mode); });
  if (!request.modes->value.empty()) return {};
  Names allowed;
  for (const vendors::Mode mode : policy.allowed_modes) allowed.emplace_back(to_text(mode));
  return fail(Errc::denied,
              text::cat({request.modes->origin, " asks for mode ", text::join(asked, " or "),
                         ", but this node allows ", allowed.empty() ? "none" : text::join(allowed, ", ")}),
              "ask for one of these, or add it to [policy] allowed_modes in /etc/hami/config.toml");
}

// An image says with this what it needs of the driver; it gives no device and so counts everywhere.
std::string capabilities_of(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  return std::string(container.env_value(recipe.capabilities.env).value_or(""));
}

// Every CDI device that the container names, in the order of its annotations.
Result<std::vector<CdiName>> cdi_names(const oci::ContainerView& container) {
  std::vector<CdiName> out;
  for (const auto& [key, value] : container.annotations) {
    const bool engine = key.starts_with(kEngineCdiPrefix);
    if (!engine && key != kCdiKey) continue;
    const std::string origin = text::cat({"annotation ", text::quote(key)});
    for (const std::string& name : parse_names(value)) {
      if (!vendors::is_cdi_name(name)) {
        return fail(Errc::invalid_request,
                    text::cat({origin, ": ", text::quote(name), " names no CDI device"}),
                    "write <vendor>/<class>=<device>");
      }
      if (!engine && name.starts_with(kNeutralCdiVendor)) {
        return fail(Errc::invalid_request,
                    text::cat({origin, ": ", text::quote(name),
                               " is a name for engines, under which nothing is counted"}),
                    "name the device by its vendor's kind, as in nvidia.com/gpu=0");
      }
      out.push_back({name, origin, engine});
    }
  }
  return out;
}

// Names of a kind that a recipe has are the recipe's: its devices are counted.
Result<> take_cdi_names(std::vector<CdiName>& names, const vendors::Recipe& recipe, VendorRequest& request) {
  const std::string kind = text::cat({recipe.metadata.vendor, "/", recipe.metadata.device_class, "="});
  Selector selector{Selector::Kind::named, {}};
  std::string origin;
  std::erase_if(names, [&](const CdiName& cdi) {
    if (cdi.engine || !cdi.name.starts_with(kind)) return false;
    origin = cdi.origin;
    if (cdi.name.substr(kind.size()) == "all") selector.kind = Selector::Kind::all;
    selector.names.push_back(cdi.name.substr(kind.size()));
    return true;
  });
  if (origin.empty()) return {};
  if (selector.kind == Selector::Kind::all) selector.names.clear();
  if (request.count || request.selector || request.has_limit())
    return disagreement(request.origin(), origin, "devices");
  request.selector = {std::move(selector), origin};
  return {};
}

Result<std::optional<VendorRequest>> parse_vendor(const oci::ContainerView& container,
                                                  const vendors::Recipe& recipe,
                                                  const std::vector<Words>& sources, const Policy& policy,
                                                  const PodDecision* decision, std::vector<CdiName>& cdi) {
  VendorRequest request;
  request.vendor = recipe.metadata.name;
  for (const Words& words : sources) HAMI_CHECK(read_resources(words, recipe, policy, request));
  const bool yields = decision != nullptr && decision->yields && (request.count || request.has_limit());
  if (decision != nullptr && !yields) {
    HAMI_CHECK(take_decision(*decision, container, recipe, policy, request));
    HAMI_CHECK(permit_modes(request, recipe, policy));
    request.capabilities = capabilities_of(container, recipe);
    return std::optional<VendorRequest>{std::move(request)};
  }
  const bool named_by_words = request.count || request.has_limit();
  if (variables_count(container, policy, names_devices_by_uuid(container, recipe))) {
    HAMI_CHECK(read_selector(container, recipe, request));
    HAMI_CHECK(read_limit_variables(container, recipe, request));
  }
  HAMI_CHECK(reconcile_selector(request, named_by_words));
  HAMI_CHECK(take_cdi_names(cdi, recipe, request));
  HAMI_TRY(const bool asked, settle(request, policy));
  if (!asked) return std::optional<VendorRequest>{};
  HAMI_CHECK(permit_modes(request, recipe, policy));
  request.capabilities = capabilities_of(container, recipe);
  return std::optional<VendorRequest>{std::move(request)};
}

// A misspelt name in the variable would silently be no limit.
Result<> refuse_unknown_names(const Words& words, const std::vector<vendors::Recipe>& recipes) {
  std::set<std::string> known{kPlacementKey, kMemoryWaitKey};
  for (const vendors::Recipe& recipe : recipes) known.merge(resource_names(recipe));
  for (const auto& [name, value] : words.values()) {
    if (known.count(name) != 0) continue;
    return fail(
        Errc::invalid_request,
        text::cat({"variable ", kResourcesVariable, ": no recipe of this node has ", text::quote(name)}),
        "check the spelling, or install the vendor's recipe");
  }
  return {};
}

}  // namespace

bool VendorRequest::has_limit() const {
  return memory || memory_percent || cores || core_parts || size || !memory_of.empty() || !cores_of.empty();
}

std::string VendorRequest::origin() const {
  if (scheduled) return scheduled->origin;
  if (count) return count->origin;
  if (selector) return selector->origin;
  if (memory) return memory->origin;
  if (memory_percent) return memory_percent->origin;
  if (cores) return cores->origin;
  if (core_parts) return core_parts->origin;
  if (size) return size->origin;
  if (!memory_of.empty()) return memory_of.begin()->second.origin;
  if (!cores_of.empty()) return cores_of.begin()->second.origin;
  return {};
}

const std::vector<std::string_view>& request_needles() {
  static const std::vector<std::string_view> needles = [] {
    std::vector<std::string_view> all(kVariableParts.begin(), kVariableParts.end());
    all.insert(all.end(), kDomainEnds.begin(), kDomainEnds.end());
    all.insert(all.end(), kBareKeys.begin(), kBareKeys.end());
    all.push_back(kMarkerPart);
    all.push_back(kClaimPart);
    return all;
  }();
  return needles;
}

bool may_request(const oci::ContainerView& container, const Policy& policy) {
  if (container.is_sandbox()) return false;
  for (const auto& [key, value] : container.annotations) {
    if (std::find(kBareKeys.begin(), kBareKeys.end(), key) != kBareKeys.end()) return true;
    if (key.starts_with(kEngineCdiPrefix)) return true;
    if (contains_any(key, kDomainEnds) && !contains_any(key, kForeignDomains)) return true;
  }
  const bool claimed =
      std::any_of(container.mounts.begin(), container.mounts.end(),
                  [](const oci::Mount& mount) { return contains(mount.destination, kClaimPart); });
  if (claimed && container.is_kubernetes()) return true;
  return variables_count(container, policy, true) && shows_variables(container);
}

bool shows_variables(const oci::ContainerView& container) {
  for (const auto& [name, value] : container.env) {
    if (!value.empty() && value != "void" && contains_any(name, kVariableParts)) return true;
  }
  return std::any_of(container.mounts.begin(), container.mounts.end(), [](const oci::Mount& mount) {
    return mount.source == "/dev/null" && contains(mount.destination, kMarkerPart);
  });
}

Result<std::optional<Request>> parse_request(const oci::ContainerView& container,
                                             const std::vector<vendors::Recipe>& recipes,
                                             const Policy& policy, std::vector<std::string>* warnings) {
  if (container.is_sandbox()) return std::optional<Request>{};
  return parse_request(container, recipes, policy, read_decisions(container, policy, warnings));
}

Result<std::optional<Request>> parse_request(const oci::ContainerView& container,
                                             const std::vector<vendors::Recipe>& recipes,
                                             const Policy& policy,
                                             Result<std::vector<PodDecision>> decisions) {
  if (container.is_sandbox()) return std::optional<Request>{};
  std::vector<Words> sources{Words::of_annotations(container)};
  const auto variable = container.env_value(kResourcesVariable);
  if (variable && !variable->empty() && variables_count(container, policy, false)) {
    HAMI_TRY(auto words, Words::of_variable(*variable));
    HAMI_CHECK(refuse_unknown_names(words, recipes));
    sources.push_back(std::move(words));
  }
  Request request;
  for (const Words& words : sources) HAMI_CHECK(read_placement(words, request));
  HAMI_TRY(request.cdi, cdi_names(container));
  if (!decisions) return fail(std::move(decisions).error());
  for (const vendors::Recipe& recipe : recipes) {
    const PodDecision* decision = decision_for(*decisions, container, recipe);
    if (decision != nullptr && !concerns(*decision, container, recipe)) {
      silence(container, recipe, request.silenced);
      continue;
    }
    HAMI_TRY(auto vendor, parse_vendor(container, recipe, sources, policy, decision, request.cdi));
    if (vendor) request.vendors.push_back(*std::move(vendor));
  }
  if (request.vendors.empty() && request.silenced.empty() && request.cdi.empty())
    return std::optional<Request>{};
  return std::optional<Request>{std::move(request)};
}

}  // namespace hami::shim
