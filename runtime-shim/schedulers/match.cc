#include "runtime-shim/schedulers/match.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/mig.h"

namespace hami::schedulers {

namespace {

bool amounts_fit(const Group& group, const Evidence& evidence) {
  if (group.size() != evidence.size()) return false;
  for (std::size_t i = 0; i < evidence.memory.size() && i < group.size(); ++i) {
    const auto& memory = evidence.memory[i];
    if (memory && (group[i].memory < 0 || static_cast<std::uint64_t>(group[i].memory) != *memory))
      return false;
  }
  return !evidence.cores || group.empty() ||
         group.front().cores == static_cast<std::int32_t>(*evidence.cores);
}

// In any order: the devices a container sees are sorted by the driver anyway.
bool identities_fit(const Group& group, const Evidence& evidence, const SameDevice& same) {
  if (group.size() != evidence.devices.size()) return false;
  const auto is_shown = [&](const DeviceRecord& record) {
    return std::any_of(evidence.devices.begin(), evidence.devices.end(),
                       [&](const std::string& device) { return same(record.uuid, device); });
  };
  const auto is_recorded = [&](const std::string& device) {
    return std::any_of(group.begin(), group.end(),
                       [&](const DeviceRecord& record) { return same(record.uuid, device); });
  };
  return std::all_of(group.begin(), group.end(), is_shown) &&
         std::all_of(evidence.devices.begin(), evidence.devices.end(), is_recorded);
}

bool all_equal(const std::vector<Group>& groups, const std::vector<std::size_t>& candidates) {
  return std::all_of(candidates.begin(), candidates.end(),
                     [&](std::size_t i) { return groups[i] == groups[candidates.front()]; });
}

Match only(Match::Kind kind, std::string warning) {
  Match match;
  match.kind = kind;
  match.warning = std::move(warning);
  return match;
}

// The lowest of equal groups that nobody else has.
Match take(const std::vector<std::size_t>& candidates, const std::vector<std::size_t>& claimed) {
  for (const std::size_t i : candidates) {
    if (std::find(claimed.begin(), claimed.end(), i) != claimed.end()) continue;
    Match match;
    match.kind = Match::Kind::group;
    match.group = i;
    return match;
  }
  return only(Match::Kind::taken, "the group that fits belongs to another container of the Pod");
}

// Groups of which the amounts, the devices, or both fit.
struct Candidates {
  std::vector<std::size_t> both;
  std::vector<std::size_t> by_amount;
  std::vector<std::size_t> by_identity;
};

Candidates candidates_of(const std::vector<Group>& groups, const Evidence& evidence, const SameDevice& same) {
  Candidates out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].empty()) continue;
    const bool amounts = amounts_fit(groups[i], evidence);
    const bool identities = !evidence.devices.empty() && identities_fit(groups[i], evidence, same);
    if (amounts) out.by_amount.push_back(i);
    if (identities) out.by_identity.push_back(i);
    if (amounts && (identities || evidence.devices.empty())) out.both.push_back(i);
  }
  return out;
}

Match match_in_part(const std::vector<Group>& groups, const Candidates& found,
                    const std::vector<std::size_t>& claimed) {
  if (!found.by_identity.empty()) {
    if (!all_equal(groups, found.by_identity)) {
      return only(Match::Kind::contradiction, "several groups have its devices, and none has its amounts");
    }
    Match match = take(found.by_identity, claimed);
    match.amounts_differ = true;
    if (match.warning.empty()) match.warning = "its variables name other amounts than its group";
    return match;
  }
  // The kubelet may prefer other devices than the scheduler chose; then the amounts identify the group.
  if (found.by_amount.size() == 1) {
    Match match = take(found.by_amount, claimed);
    match.identities_differ = true;
    return match;
  }
  return only(Match::Kind::evidence_alone,
              found.by_amount.empty() ? "no group of the Pod fits what the device plugin gave this container"
                                      : "several groups fit by their amounts and none by its devices");
}

}  // namespace

std::size_t Evidence::size() const {
  const std::size_t listed = std::max(devices.size(), memory.size());
  return listed != 0 ? listed : count.value_or(1);
}

bool same_name(const std::string& recorded, const std::string& shown) {
  return recorded == shown || card_uuid(recorded) == shown;
}

Match match_group(const std::vector<Group>& groups, const Evidence& evidence,
                  const std::vector<std::size_t>& claimed, const SameDevice& same) {
  if (evidence.empty()) return {};
  const Candidates found = candidates_of(groups, evidence, same);
  if (found.both.empty()) return match_in_part(groups, found, claimed);
  if (all_equal(groups, found.both)) return take(found.both, claimed);
  return only(
      Match::Kind::evidence_alone,
      text::cat({text::number(found.both.size()),
                 " different groups fit this container; only what its device plugin gave it counts"}));
}

Match match_any(const std::vector<Group>& groups, const std::vector<Evidence>& choices,
                const std::vector<std::size_t>& claimed, const SameDevice& same, std::size_t& chosen) {
  std::optional<Match> in_part;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Match match = match_group(groups, choices[i], claimed, same);
    const bool whole = match.kind == Match::Kind::group && !match.amounts_differ && !match.identities_differ;
    if (whole || !in_part) chosen = i;
    if (whole) return match;
    if (!in_part) in_part = std::move(match);
  }
  return in_part.value_or(Match{});
}

}  // namespace hami::schedulers
