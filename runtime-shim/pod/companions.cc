#include "runtime-shim/pod/companions.h"

#include <algorithm>
#include <array>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/companions.h"
#include "runtime-shim/schedulers/mig.h"

namespace hami::shim {

namespace {

using schedulers::DeviceRecord;
using schedulers::Group;

constexpr std::string_view kAscend = "huawei.com/Ascend";
constexpr std::uint32_t kBlockMib = 256;

std::vector<std::string> as_texts(const std::vector<std::uint32_t>& numbers) {
  std::vector<std::string> out;
  out.reserve(numbers.size());
  for (const std::uint32_t number : numbers) out.push_back(text::number(number));
  return out;
}

std::int32_t as_amount(std::uint64_t amount) {
  return static_cast<std::int32_t>(std::min<std::uint64_t>(amount, schedulers::kAllMemory));
}

// HAMi's form is JSON, Koordinator's a list of names.
Result<Companion> read_ascend(const std::string& value, Companion out) {
  const std::string chip = out.key.substr(out.key.find('/') + 1);
  if (value.starts_with(chip)) {
    HAMI_TRY(const auto minors, schedulers::parse_ascend_names(value, chip));
    out.devices = as_texts(minors);
    return out;
  }
  HAMI_TRY(const auto shares, schedulers::parse_ascend_shares(value));
  out.list = text::cat({"hami.io/", chip, "-devices-allocated"});
  out.names = Companion::Names::all;
  for (const schedulers::AscendShare& share : shares) {
    out.devices.push_back(share.uuid);
    // The flat list does not say where a container ends: one device each, as they mostly have.
    const std::int32_t memory = share.memory == 0 ? schedulers::kAllMemory : as_amount(share.memory);
    const std::int32_t cores = share.cut.empty() ? as_amount(share.cores) : 0;
    out.groups.push_back({{share.uuid, chip, memory, cores}});
  }
  return out;
}

Result<Companion> read_npu_core(const std::string& value, Companion out) {
  HAMI_TRY(const auto cards, schedulers::parse_npu_core(value));
  out.devices = as_texts(cards.minors);
  return out;
}

Result<Companion> read_mlu_profile(const std::string& value, Companion out) {
  HAMI_TRY(const auto profile, schedulers::parse_mlu_profile(value));
  out.devices = {text::number(profile.card)};
  out.groups = {{{text::number(profile.card), "MLU", as_amount(std::uint64_t{profile.blocks} * kBlockMib),
                  as_amount(profile.cores)}}};
  return out;
}

Result<Companion> read_mlu_instance(const std::string& value, Companion out) {
  HAMI_CHECK(schedulers::parse_mlu_instance(value));
  return out;
}

Result<Companion> read_metax(const std::string& value, Companion out) {
  HAMI_TRY(const auto containers, schedulers::parse_metax_shares(value));
  out.names = Companion::Names::all;
  for (const auto& shares : containers) {
    Group group;
    for (const schedulers::MetaxShare& share : shares) {
      out.devices.push_back(share.uuid);
      group.push_back({share.uuid, "Metax-SGPU", as_amount(share.memory), as_amount(share.compute)});
    }
    out.groups.push_back(std::move(group));
  }
  if (out.devices.empty()) out.groups.clear();
  return out;
}

Result<Companion> read_cu_lists(const std::string& value, Companion out) {
  HAMI_TRY(const auto lists, schedulers::parse_cu_lists(value));
  for (const auto& [card, ranges] : lists) out.devices.push_back(card);
  return out;
}

Result<Companion> read_mig(const std::string& value, Companion out) {
  HAMI_TRY(const auto allocations, schedulers::parse_mig_allocations(value));
  for (const schedulers::MigAllocation& allocation : allocations) out.devices.push_back(allocation.card);
  return out;
}

Result<Companion> read_cards(const std::string& value, Companion out) {
  if (value.empty()) return out;
  HAMI_TRY(const auto cards, schedulers::parse_numbers(value));
  out.devices = as_texts(cards);
  return out;
}

// Ids of cores or of devices, which another annotation tells apart.
Result<Companion> read_ids(const std::string& value, Companion out) {
  if (!value.empty()) HAMI_CHECK(schedulers::parse_numbers(value));
  return out;
}

Result<Companion> read_assigned(const std::string& value, Companion out) {
  HAMI_CHECK(schedulers::parse_assigned_containers(value));
  return out;
}

// What its decoder understood, as its encoder writes it.
template <auto Parse, auto Encode>
Result<std::string> decode_and_encode(const std::string& value, const std::string&) {
  HAMI_TRY(const auto parsed, Parse(value));
  return Encode(parsed);
}

Result<std::string> rewritten_numbers(const std::string& value, const std::string&) {
  if (value.empty()) return value;
  HAMI_TRY(const auto numbers, schedulers::parse_numbers(value));
  return schedulers::encode_numbers(numbers);
}

Result<std::string> rewritten_ascend(const std::string& value, const std::string& key) {
  const std::string chip = key.substr(key.find('/') + 1);
  if (value.starts_with(chip)) {
    HAMI_TRY(const auto minors, schedulers::parse_ascend_names(value, chip));
    return schedulers::encode_ascend_names(minors, chip);
  }
  HAMI_TRY(const auto shares, schedulers::parse_ascend_shares(value));
  return schedulers::encode_ascend_shares(shares);
}

struct Known {
  std::string_view key;
  std::string_view vendor;
  std::string_view list;
  Result<Companion> (*read)(const std::string& value, Companion out);
  Result<std::string> (*rewrite)(const std::string& value, const std::string& key);
};

constexpr std::array<Known, 13> kKnown{{
    {"hami.io/vgpu-mig-allocations", "nvidia", "hami.io/vgpu-devices-allocated", read_mig,
     decode_and_encode<schedulers::parse_mig_allocations, schedulers::encode_mig_allocations>},
    {"hami.io/amd-cu-allocated", "amd", "hami.io/amd-devices-allocated", read_cu_lists,
     decode_and_encode<schedulers::parse_cu_lists, schedulers::encode_cu_lists>},
    {"huawei.com/npu-core", "ascend", "scheduling.koordinator.sh/device-allocated", read_npu_core,
     decode_and_encode<schedulers::parse_npu_core, schedulers::encode_npu_core>},
    {"metax-tech.com/gpu-devices-allocated", "metax", "hami.io/metax-sgpu-devices-allocated", read_metax,
     decode_and_encode<schedulers::parse_metax_shares, schedulers::encode_metax_shares>},
    {"CAMBRICON_DSMLU_PROFILE", "cambricon", "hami.io/cambricon-mlu-devices-allocated", read_mlu_profile,
     decode_and_encode<schedulers::parse_mlu_profile, schedulers::encode_mlu_profile>},
    {"CAMBRICON_DSMLU_PROFILE_INSTANCE", "cambricon", "", read_mlu_instance,
     decode_and_encode<schedulers::parse_mlu_instance, schedulers::encode_mlu_instance>},
    {"mthreads.com/gpu-index", "mthreads", "hami.io/mthreads-vgpu-devices-allocated", read_cards,
     rewritten_numbers},
    {"BAIDU_COM_DEVICE_IDX", "kunlunxin", "hami.io/kunlun-allocated", read_cards, rewritten_numbers},
    {"AWS_NEURON_IDS", "neuron", "", read_ids, rewritten_numbers},
    {"assigned-containers", "enflame", "", read_assigned,
     decode_and_encode<schedulers::parse_assigned_containers, schedulers::encode_assigned_containers>},
    {"enflame.com/gcu-assigned-index", "enflame", "hami.io/enflame-gcu-devices-allocated", read_ids,
     rewritten_numbers},
    {"enflame.com/gcu-assigned-minor", "enflame", "hami.io/enflame-gcu-devices-allocated", read_ids,
     rewritten_numbers},
    {"scheduling.koordinator.sh/gpu-minors", "", "scheduling.koordinator.sh/device-allocated", read_cards,
     rewritten_numbers},
}};

bool is_number(std::string_view text) { return text::parse_u64(text).has_value(); }

// HAMi makes names of cards that have no uuid: "<node>-cambricon-mlu-3".
bool means(const DeviceRecord& record, const std::string& device) {
  if (record.uuid == device || schedulers::card_uuid(record.uuid) == device) return true;
  return is_number(device) && record.uuid.ends_with(text::cat({"-", device}));
}

bool is_in(const std::vector<Group>& groups, const std::string& device) {
  return std::any_of(groups.begin(), groups.end(), [&](const Group& group) {
    return std::any_of(group.begin(), group.end(),
                       [&](const DeviceRecord& record) { return means(record, device); });
  });
}

// A list by uuids and one by numbers cannot be held against each other.
bool has_number(const DeviceRecord& record) {
  constexpr std::array<std::string_view, 3> kMade{"-cambricon-mlu-", "-kunlun-", "-mthreads-"};
  return is_number(record.uuid) || std::any_of(kMade.begin(), kMade.end(), [&](std::string_view word) {
           return record.uuid.find(word) != std::string::npos;
         });
}

bool is_comparable(const Companion& companion, const std::vector<Group>& groups) {
  if (companion.devices.empty() || !is_number(companion.devices.front())) return !companion.devices.empty();
  return std::all_of(groups.begin(), groups.end(),
                     [&](const Group& group) { return std::all_of(group.begin(), group.end(), has_number); });
}

// "huawei.com/Ascend910B4-1"; the names of its amounts are longer.
bool is_chip_key(std::string_view key) {
  return key.starts_with(kAscend) && !key.ends_with("-memory") && !key.ends_with("-core");
}

const Known* known_by(std::string_view key, const std::string& value) {
  // Each chip has a name, and a list, of its own.
  static constexpr Known kChip{kAscend, "ascend", "", read_ascend, rewritten_ascend};
  const auto known =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& one) { return one.key == key; });
  if (known != kKnown.end()) return &*known;
  // A count that a Pod asks for has the chip's name too.
  return is_chip_key(key) && !is_number(value) ? &kChip : nullptr;
}

}  // namespace

Result<std::optional<Companion>> read_companion(const std::map<std::string, std::string>& annotations,
                                                const std::string& key) {
  const auto value = annotations.find(key);
  if (value == annotations.end()) return std::optional<Companion>{};
  const Known* known = known_by(key, value->second);
  if (known == nullptr) return std::optional<Companion>{};
  Companion out;
  out.key = key;
  out.vendor = known->vendor;
  out.list = known->list;
  auto read = known->read(value->second, std::move(out));
  if (!read) return fail(std::move(read).error().within(text::cat({"annotation ", text::quote(key)})));
  return std::optional<Companion>(*std::move(read));
}

Result<std::optional<std::string>> rewrite_companion(const std::map<std::string, std::string>& annotations,
                                                     const std::string& key) {
  const auto value = annotations.find(key);
  const Known* known = value == annotations.end() ? nullptr : known_by(key, value->second);
  if (known == nullptr) return std::optional<std::string>{};
  auto rewritten = known->rewrite(value->second, key);
  if (!rewritten)
    return fail(std::move(rewritten).error().within(text::cat({"annotation ", text::quote(key)})));
  return std::optional<std::string>(*std::move(rewritten));
}

bool agrees(const Companion& companion, const std::vector<Group>& groups) {
  if (!is_comparable(companion, groups)) return true;
  if (companion.names == Companion::Names::some) {
    return std::all_of(companion.devices.begin(), companion.devices.end(),
                       [&](const std::string& device) { return is_in(groups, device); });
  }
  return std::all_of(groups.begin(), groups.end(), [&](const Group& group) {
    return std::all_of(group.begin(), group.end(), [&](const DeviceRecord& record) {
      return std::any_of(companion.devices.begin(), companion.devices.end(),
                         [&](const std::string& device) { return means(record, device); });
    });
  });
}

}  // namespace hami::shim
