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

bool identities_fit(const Group& group, const Evidence& evidence) {
  if (evidence.devices.empty()) return true;
  return std::equal(group.begin(), group.end(), evidence.devices.begin(), evidence.devices.end(),
                    [](const DeviceRecord& record, const std::string& device) {
                      return record.uuid == device || card_uuid(record.uuid) == device;
                    });
}

bool all_equal(const std::vector<Group>& groups, const std::vector<std::size_t>& candidates) {
  return std::all_of(candidates.begin(), candidates.end(),
                     [&](std::size_t i) { return groups[i] == groups[candidates.front()]; });
}

Match take(const std::vector<std::size_t>& candidates, const std::vector<std::size_t>& claimed, bool differ) {
  const auto is_free = [&](std::size_t i) {
    return std::find(claimed.begin(), claimed.end(), i) == claimed.end();
  };
  const auto free = std::find_if(candidates.begin(), candidates.end(), is_free);
  Match match;
  match.kind = Match::Kind::group;
  match.group = free == candidates.end() ? candidates.front() : *free;
  match.identities_differ = differ;
  return match;
}

Match evidence_alone(std::string warning) {
  Match match;
  match.kind = Match::Kind::evidence_alone;
  match.warning = std::move(warning);
  return match;
}

}  // namespace

std::size_t Evidence::size() const {
  const std::size_t listed = std::max(devices.size(), memory.size());
  return listed != 0 ? listed : count.value_or(1);
}

Match match_group(const std::vector<Group>& groups, const Evidence& evidence,
                  const std::vector<std::size_t>& claimed) {
  if (evidence.empty()) return {};
  std::vector<std::size_t> by_amount;
  std::vector<std::size_t> by_identity;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!amounts_fit(groups[i], evidence)) continue;
    by_amount.push_back(i);
    if (identities_fit(groups[i], evidence)) by_identity.push_back(i);
  }
  if (!by_identity.empty()) {
    if (all_equal(groups, by_identity)) return take(by_identity, claimed, false);
    return evidence_alone(
        text::cat({text::number(by_identity.size()),
                   " different groups fit this container; only what its device plugin gave it counts"}));
  }
  // The kubelet may prefer other devices than the scheduler chose; then the amounts identify the group.
  if (by_amount.size() == 1) return take(by_amount, claimed, true);
  if (by_amount.empty())
    return evidence_alone("no group of the Pod fits what the device plugin gave this container");
  return evidence_alone("several groups fit by their amounts and none by its devices");
}

}  // namespace hami::schedulers
