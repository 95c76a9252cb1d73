#include "runtime-shim/scheduled.h"

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/mig.h"

namespace hami::shim {

namespace {

using schedulers::Evidence;
using schedulers::Group;
using schedulers::Match;

// By name, or because the node knows one device under both names.
schedulers::SameDevice same_device(const vendors::Inventory& inventory) {
  return [&](const std::string& recorded, const std::string& shown) {
    if (schedulers::same_name(recorded, shown)) return true;
    const vendors::Device* device = inventory.find(schedulers::card_uuid(recorded));
    return device != nullptr && device == inventory.find(shown);
  };
}

std::string selector_text(const Evidence& evidence, const vendors::Recipe& recipe) {
  const std::string separator =
      recipe.request.separator.empty() ? "," : recipe.request.separator.substr(0, 1);
  return text::join(evidence.devices, separator);
}

Result<std::vector<Given>> given_by_group(const Scheduled& scheduled, const Group& group, const Match& match,
                                          const Evidence& evidence) {
  std::vector<Given> out;
  for (std::size_t i = 0; i < group.size(); ++i) {
    HAMI_TRY(const auto amounts, schedulers::amounts_of(group[i], scheduled.key));
    const bool shown = match.identities_differ && i < evidence.devices.size();
    out.push_back({shown ? evidence.devices[i] : std::string(schedulers::card_uuid(group[i].uuid)),
                   amounts.memory, amounts.cores});
  }
  return out;
}

std::vector<Given> given_by_evidence(const Evidence& evidence) {
  std::vector<Given> out;
  for (std::size_t i = 0; i < evidence.devices.size(); ++i) {
    Given given{evidence.devices[i], std::nullopt, {}};
    if (i < evidence.memory.size() && evidence.memory[i]) given.memory = Bytes::mib(*evidence.memory[i]);
    given.cores = Percent{evidence.cores.value_or(0)};
    out.push_back(std::move(given));
  }
  return out;
}

Result<Resolution> by_group(const Scheduled& scheduled, const VendorNode& node, const Match& match,
                            const Evidence& evidence) {
  Resolution out;
  HAMI_TRY(out.decided.devices, given_by_group(scheduled, scheduled.groups[match.group], match, evidence));
  if (match.amounts_differ || !evidence.devices.empty())
    out.decided.selector = selector_text(evidence, node.recipe);
  if (scheduled.per_container) out.group = match.group;
  if (!match.warning.empty()) out.warning = text::cat({scheduled.origin, ": ", match.warning});
  return out;
}

Result<Resolution> by_evidence(const Scheduled& scheduled, const VendorNode& node, const Match& match,
                               const Evidence& evidence) {
  if (evidence.devices.empty()) {
    return fail(Errc::invalid_request,
                text::cat({scheduled.origin, ": ", match.warning, ", and the container names no device"}),
                "let the engine hand the device plugin's variables and CDI names to the container");
  }
  Resolution out;
  out.decided.devices = given_by_evidence(evidence);
  out.decided.binding = false;
  out.decided.selector = selector_text(evidence, node.recipe);
  out.warning = text::cat({scheduled.origin, ": ", match.warning});
  return out;
}

std::string shown_amounts(const Evidence& evidence) {
  std::vector<std::string> parts;
  for (const auto& memory : evidence.memory) {
    if (memory) parts.push_back(to_text(Bytes::mib(*memory)));
  }
  if (evidence.cores) parts.push_back(text::cat({text::number(*evidence.cores), "%"}));
  return text::join(parts, ", ");
}

}  // namespace

Result<Resolution> resolve(const Scheduled& scheduled, const VendorNode& node,
                           const std::vector<std::size_t>& claimed) {
  std::size_t chosen = 0;
  Match match = schedulers::match_any(scheduled.groups, scheduled.evidence, claimed,
                                      same_device(node.inventory), chosen);
  const Evidence& evidence = scheduled.evidence[chosen];
  switch (match.kind) {
    case Match::Kind::group:
      return by_group(scheduled, node, match, evidence);
    case Match::Kind::none:
    case Match::Kind::evidence_alone:
      if (scheduled.groups.empty()) match.warning.clear();  // nothing there that could fit
      return by_evidence(scheduled, node, match, evidence);
    case Match::Kind::taken:
      return fail(Errc::denied, text::cat({scheduled.origin, ": ", match.warning}),
                  "a container may not take the devices of another one by its variables");
    case Match::Kind::contradiction:
      break;
  }
  return fail(Errc::invalid_request,
              text::cat({scheduled.origin, " and the container's variables (", shown_amounts(evidence),
                         ") disagree: ", match.warning}),
              "remove the limits from the container's own variables");
}

}  // namespace hami::shim
