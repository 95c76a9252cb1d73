#include "runtime-shim/schedulers/keys.h"

#include <array>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kPrefix = "hami.io/";
constexpr std::string_view kSuffix = "-devices-allocated";
constexpr std::string_view kVolcano = "volcano.sh/vgpu-ids-new";
// The lists that device plugins work through, and what follows the same word in the complete one.
constexpr std::string_view kLeftSuffix = "-devices-to-allocate";
constexpr std::string_view kVolcanoLeft = "volcano.sh/devices-to-allocate";

struct KnownKey {
  std::string_view key;
  std::string_view vendor;
};

// Keys are case-sensitive; one per vendor, except the families below.
constexpr std::array<KnownKey, 16> kKnown{{
    {"hami.io/vgpu-devices-allocated", "nvidia"},
    {"hami.io/cambricon-mlu-devices-allocated", "cambricon"},
    {"hami.io/dcu-devices-allocated", "hygon"},
    {"hami.io/iluvatar-vgpu-devices-allocated", "iluvatar"},
    {"hami.io/metax-gpu-devices-allocated", "metax"},
    {"hami.io/metax-sgpu-devices-allocated", "metax"},
    {"hami.io/mthreads-vgpu-devices-allocated", "mthreads"},
    {"hami.io/kunlun-allocated", "kunlunxin"},
    {"hami.io/xpu-devices-allocated", "kunlunxin"},
    {"hami.io/enflame-vgpu-devices-allocated", "enflame"},
    {"hami.io/enflame-gcu-devices-allocated", "enflame"},
    {"hami.io/amd-devices-allocated", "amd"},
    {"hami.io/aws-neuron-devices-allocated", "neuron"},
    {"hami.io/Vastai-devices-allocated", "vastai"},
    {"hami.io/Biren-devices-allocated", "biren"},
    {kVolcano, "nvidia"},
}};

// Words that records have as their type, where the vendor has one word. AMD has product names.
constexpr std::array<KnownKey, 14> kTypes{{
    {"NVIDIA", "nvidia"},
    {"MLU", "cambricon"},
    {"DCU", "hygon"},
    {"Metax-GPU", "metax"},
    {"Metax-SGPU", "metax"},
    {"Mthreads", "mthreads"},
    {"kunlun", "kunlunxin"},
    {"XPU", "kunlunxin"},
    {"Enflame", "enflame"},
    {"GCU", "enflame"},
    {"AMD", "amd"},
    {"AWSNeuron", "neuron"},
    {"Vastai", "vastai"},
    {"Biren", "biren"},
}};

// Vendors with one key per chip: "hami.io/<chip>-devices-allocated".
constexpr std::array<KnownKey, 3> kFamilies{{{"Ascend", "ascend"}, {"MR-", "iluvatar"}, {"BI-", "iluvatar"}}};

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// The complete list's key for the key of one that a plugin works through; "" for any other key.
std::string complete_key(std::string_view key) {
  if (key == kVolcanoLeft) return std::string(kVolcano);
  if (!starts_with(key, kPrefix) || !ends_with(key, kLeftSuffix)) return {};
  return text::cat({key.substr(0, key.size() - kLeftSuffix.size()), kSuffix});
}

// nullopt: the annotation is no complete list.
std::optional<PodAllocation> recognise(std::string_view key) {
  PodAllocation out;
  out.key = key;
  out.scheduler = key == kVolcano ? Scheduler::volcano : Scheduler::hami;
  for (const KnownKey& known : kKnown) {
    if (known.key != key) continue;
    out.vendor = known.vendor;
    return out;
  }
  if (!starts_with(key, kPrefix) || !ends_with(key, kSuffix)) return std::nullopt;
  const std::string_view word = key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size());
  for (const KnownKey& family : kFamilies) {
    if (!starts_with(word, family.key)) continue;
    out.vendor = family.vendor;
    out.chip = word;
  }
  return out;
}

// Of a word that only one vendor's records have; "" for any other.
std::string_view vendor_of_type(std::string_view type) {
  for (const KnownKey& known : kTypes) {
    if (known.key == type) return known.vendor;
  }
  for (const KnownKey& family : kFamilies) {
    if (starts_with(type, family.key)) return family.vendor;
  }
  return {};
}

void drop_foreign(std::vector<Group>& groups, const PodAllocation& allocation) {
  const auto is_foreign = [&](const DeviceRecord& record) {
    const std::string_view vendor = vendor_of_type(record.type);
    const bool other_chip = !allocation.chip.empty() && record.type != allocation.chip;
    return !vendor.empty() && (vendor != allocation.vendor || other_chip);
  };
  if (allocation.vendor.empty()) return;
  for (Group& group : groups) std::erase_if(group, is_foreign);
}

bool is_empty(const std::vector<Group>& groups) {
  for (const Group& group : groups) {
    if (!group.empty()) return false;
  }
  return true;
}

Result<std::vector<Group>> read_groups(const PodAllocation& allocation, const std::string& value) {
  auto groups = decode_groups(value);
  if (!groups)
    return fail(std::move(groups).error().within(text::cat({"annotation ", text::quote(allocation.key)})));
  drop_foreign(*groups, allocation);
  auto out = without_padding(*std::move(groups), allocation.scheduler == Scheduler::hami);
  // A vendor that is on the node but was not asked for can have a value of ';' alone.
  if (is_empty(out)) out.clear();
  return out;
}

}  // namespace

Result<std::optional<PodAllocation>> pod_allocation(const std::map<std::string, std::string>& annotations,
                                                    const std::string& key) {
  const auto value = annotations.find(key);
  if (value == annotations.end()) return std::optional<PodAllocation>{};
  const std::string complete = complete_key(key);
  auto allocation = recognise(complete.empty() ? key : complete);
  if (!allocation) return allocation;
  allocation->key = key;
  if (!complete.empty()) {
    allocation->worked_through = true;
    const auto other = annotations.find(complete);
    if (other != annotations.end()) {
      // One that cannot be read is that one's error.
      auto sibling = pod_allocation(annotations, complete);
      const bool blanked = sibling && (*sibling)->vendor == "biren" && (*sibling)->groups.empty();
      if (!blanked) return std::optional<PodAllocation>{};
    }
  }
  HAMI_TRY(allocation->groups, read_groups(*allocation, value->second));
  return allocation;
}

Result<std::vector<PodAllocation>> pod_allocations(const std::map<std::string, std::string>& annotations) {
  std::vector<PodAllocation> out;
  for (const auto& annotation : annotations) {
    HAMI_TRY(auto allocation, pod_allocation(annotations, annotation.first));
    if (allocation) out.push_back(*std::move(allocation));
  }
  return out;
}

std::map<std::string, std::string> encode_allocations(const std::vector<PodAllocation>& allocations) {
  std::map<std::string, std::string> out;
  for (const PodAllocation& allocation : allocations) {
    const bool joined = allocation.scheduler == Scheduler::volcano;
    out[allocation.key] = joined ? encode_volcano(allocation.groups) : encode_hami(allocation.groups);
  }
  return out;
}

}  // namespace hami::schedulers
