#include "runtime-shim/pod/scheduled.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "runtime-shim/pod/evidence.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/mig.h"

namespace hami::shim {

namespace {

using schedulers::Evidence;
using schedulers::Group;
using schedulers::Match;

// The partition of the recorded card that is shown; null when it is the card itself, or another's.
const vendors::Device* partition_of(const vendors::Inventory& inventory, const std::string& recorded,
                                    const std::string& shown) {
  const vendors::Device* device = inventory.find(shown);
  const vendors::Device* card = inventory.find(schedulers::card_uuid(recorded));
  const bool is_part = device != nullptr && card != nullptr && !device->parent.empty();
  return is_part && device->parent == card->uuid ? device : nullptr;
}

// By name, because the node knows one device under both names, or as a part of the recorded card.
schedulers::SameDevice same_device(const vendors::Inventory& inventory) {
  return [&](const std::string& recorded, const std::string& shown) {
    if (schedulers::same_name(recorded, shown)) return true;
    const vendors::Device* device = inventory.find(schedulers::card_uuid(recorded));
    const vendors::Device* other = inventory.find(shown);
    return device != nullptr && (device == other || partition_of(inventory, recorded, shown) != nullptr);
  };
}

std::string selector_text(const Evidence& evidence, const vendors::Recipe& recipe) {
  const std::string separator =
      recipe.request.separator.empty() ? "," : recipe.request.separator.substr(0, 1);
  return text::join(evidence.devices, separator);
}

// A partition of the card that the record names, among those that are shown and not given yet: whole, as its
// size is the driver's. nullopt: the record is about the card.
std::optional<Given> given_partition(const vendors::Inventory& inventory, const std::string& recorded,
                                     const Evidence& evidence, const std::vector<Given>& given) {
  for (const std::string& shown : evidence.devices) {
    const vendors::Device* part = partition_of(inventory, recorded, shown);
    const bool taken = std::any_of(given.begin(), given.end(),
                                   [&](const Given& other) { return part && other.device == part->uuid; });
    if (part != nullptr && !taken) return Given{part->uuid, std::nullopt, Percent{100}};
  }
  return std::nullopt;
}

Result<std::vector<Given>> given_by_group(const Scheduled& scheduled, const vendors::Inventory& inventory,
                                          const Match& match, const Evidence& evidence) {
  const Group& group = scheduled.groups[match.group];
  std::vector<Given> out;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (auto part = given_partition(inventory, group[i].uuid, evidence, out)) {
      out.push_back(*std::move(part));
      continue;
    }
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
    const auto own = i < evidence.cores_each.size() ? evidence.cores_each[i] : std::nullopt;
    given.cores = Percent{own.value_or(evidence.cores.value_or(0))};
    out.push_back(std::move(given));
  }
  return out;
}

Result<Resolution> by_group(const Scheduled& scheduled, const VendorNode& node, const Match& match,
                            const Evidence& evidence) {
  Resolution out;
  HAMI_TRY(out.decided.devices, given_by_group(scheduled, node.inventory, match, evidence));
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
  std::vector<Evidence> choices;
  for (const Evidence& evidence : scheduled.evidence)
    choices.push_back(with_named_nodes(evidence, node.recipe, node.inventory));
  Match match =
      schedulers::match_any(scheduled.groups, choices, claimed, same_device(node.inventory), chosen);
  const Evidence& evidence = choices[chosen];
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
