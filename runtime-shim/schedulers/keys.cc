#include "runtime-shim/schedulers/keys.h"

#include <array>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kPrefix = "hami.io/";
constexpr std::string_view kSuffix = "-devices-allocated";
constexpr std::string_view kVolcano = "volcano.sh/vgpu-ids-new";

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

// Vendors with one key per chip: "hami.io/<chip>-devices-allocated".
constexpr std::array<KnownKey, 3> kFamilies{{{"Ascend", "ascend"}, {"MR-", "iluvatar"}, {"BI-", "iluvatar"}}};

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// nullopt: the annotation is no allocation.
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

bool is_empty(const std::vector<Group>& groups) {
  for (const Group& group : groups) {
    if (!group.empty()) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<PodAllocation>> pod_allocations(const std::map<std::string, std::string>& annotations) {
  std::vector<PodAllocation> out;
  for (const auto& [key, value] : annotations) {
    auto allocation = recognise(key);
    if (!allocation) continue;
    auto groups = decode_groups(value);
    if (!groups) return fail(std::move(groups).error().within(text::cat({"annotation ", text::quote(key)})));
    allocation->groups = without_padding(*std::move(groups));
    // A vendor that is on the node but was not asked for can have a value of ';' alone.
    if (is_empty(allocation->groups)) allocation->groups.clear();
    out.push_back(*std::move(allocation));
  }
  return out;
}

}  // namespace hami::schedulers
