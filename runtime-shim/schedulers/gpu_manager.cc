#include <algorithm>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::schedulers {

namespace {

constexpr const char* kCore = "tencent.com/vcuda-core";
constexpr const char* kMemory = "tencent.com/vcuda-memory";
constexpr std::string_view kIndex = "tencent.com/predicate-gpu-idx-";
constexpr Bytes kBlock = Bytes::mib(256);
// More blocks than this are bytes; so many blocks are 256 TiB.
constexpr std::uint64_t kMostBlocks = 1U << 20U;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 50U;
constexpr std::uint64_t kMostCores = 102400;
constexpr std::uint64_t kMostContainers = 10000;

tl::unexpected<Error> bad(std::string_view key, std::string_view value, std::string_view what) {
  return fail(Errc::invalid_request,
              text::cat({"annotation ", text::quote(key), ": ", text::quote(value, 60), " is not ", what}));
}

Result<std::uint64_t> number(const std::map<std::string, std::string>& annotations, const char* key,
                             std::uint64_t max) {
  const auto it = annotations.find(key);
  if (it == annotations.end()) return std::uint64_t{0};
  const auto value = text::parse_u64(it->second);
  if (!value || *value > max) return bad(key, it->second, "a plain number in range");
  return *value;
}

Result<std::vector<std::uint32_t>> minors_of(const std::string& key, std::string_view list) {
  std::vector<std::uint32_t> out;
  for (const auto item : text::split(list, ',')) {
    const auto minor = text::parse_u64(item);
    if (!minor || *minor > 1023) {
      const std::string place = text::cat({"part ", text::number(out.size()), " of ", text::quote(list, 60)});
      return bad(key, item, text::cat({"a card's number, ", place}));
    }
    out.push_back(static_cast<std::uint32_t>(*minor));
  }
  return out;
}

}  // namespace

Result<std::optional<GpuManagerShare>> parse_gpu_manager(
    const std::map<std::string, std::string>& annotations, std::uint32_t container) {
  const std::string index_key = text::cat({kIndex, std::to_string(container)});
  const auto index = annotations.find(index_key);
  const bool asked =
      annotations.count(kCore) != 0 || annotations.count(kMemory) != 0 || index != annotations.end();
  if (!asked) return std::optional<GpuManagerShare>{};

  GpuManagerShare share;
  HAMI_TRY(const auto core, number(annotations, kCore, kMostCores));
  HAMI_TRY(const auto memory, number(annotations, kMemory, kMostBytes));
  share.core = static_cast<std::uint32_t>(core);
  share.memory = memory > kMostBlocks ? Bytes{memory} : Bytes{memory * kBlock.value};
  if (core > 100 && core % 100 != 0)
    return bad(kCore, annotations.at(kCore), "below 100 or a multiple of 100");
  if (index != annotations.end()) {
    HAMI_TRY(share.minors, minors_of(index_key, index->second));
  }
  return std::optional<GpuManagerShare>(std::move(share));
}

namespace {

// A share is of one card, and each hundred of the cores is one. Where several containers have cards nobody
// says whose the cores are.
Result<> check_number_of_cards(const std::map<std::string, std::string>& annotations,
                               const std::map<std::uint64_t, Group>& by_index) {
  const auto core = annotations.find(kCore);
  if (core == annotations.end() || by_index.size() != 1) return {};
  const auto& [index, group] = *by_index.begin();
  const auto cores = text::parse_u64(core->second).value_or(0);
  if (cores == 0 || group.size() == std::max<std::uint64_t>(cores / 100, 1)) return {};
  const std::string key = text::cat({kIndex, text::number(index)});
  return fail(
      Errc::invalid_request,
      text::cat({"annotation ", text::quote(key), " names ", text::number(group.size()),
                 " cards, and annotation ", text::quote(kCore), " with ", text::quote(core->second, 60),
                 " is for ", text::number(std::max<std::uint64_t>(cores / 100, 1))}));
}

}  // namespace

Result<std::vector<Group>> gpu_manager_groups(const std::map<std::string, std::string>& annotations) {
  std::map<std::uint64_t, Group> by_index;
  for (auto it = annotations.lower_bound(std::string(kIndex)); it != annotations.end(); ++it) {
    if (it->first.rfind(kIndex, 0) != 0) break;
    const std::string_view digits = std::string_view(it->first).substr(kIndex.size());
    const auto index = text::parse_u64(digits);
    // "00" would be another key than the one its container is looked up by.
    if (!index || *index > kMostContainers || text::number(*index) != digits)
      return bad(it->first, digits, "the number of a container");
    HAMI_TRY(const auto share, parse_gpu_manager(annotations, static_cast<std::uint32_t>(*index)));
    const bool whole = share->is_whole_cards();
    const auto mib =
        static_cast<std::int32_t>(std::min<std::uint64_t>(share->memory.whole_mib(), kAllMemory));
    for (const std::uint32_t minor : share->minors) {
      by_index[*index].push_back({std::to_string(minor), "gpu", whole ? kAllMemory : mib,
                                  whole ? 100 : static_cast<std::int32_t>(share->core)});
    }
  }
  HAMI_CHECK(check_number_of_cards(annotations, by_index));
  std::vector<Group> out;
  out.reserve(by_index.size());
  for (auto& [index, group] : by_index) out.push_back(std::move(group));
  return out;
}

std::map<std::string, std::string> encode_gpu_manager(const GpuManagerShare& share, std::uint32_t container) {
  std::map<std::string, std::string> out;
  out[kCore] = std::to_string(share.core);
  // What is no number of blocks was written as bytes.
  const bool in_blocks = share.memory.value % kBlock.value == 0;
  if (share.memory.value != 0)
    out[kMemory] = std::to_string(share.memory.value / (in_blocks ? kBlock.value : 1));
  std::vector<std::string> minors;
  minors.reserve(share.minors.size());
  for (const std::uint32_t minor : share.minors) minors.push_back(std::to_string(minor));
  if (!minors.empty()) out[text::cat({kIndex, std::to_string(container)})] = text::join(minors, ",");
  return out;
}

}  // namespace hami::schedulers
