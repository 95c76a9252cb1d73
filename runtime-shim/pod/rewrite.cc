#include "runtime-shim/pod/rewrite.h"

#include <optional>

#include "oci-config/base/text.h"
#include "runtime-shim/pod/companions.h"
#include "runtime-shim/schedulers/keys.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::shim {

namespace {

using Annotations = std::map<std::string, std::string>;

constexpr std::string_view kKoordinator = "scheduling.koordinator.sh/device-allocated";
constexpr std::string_view kGpuManager = "tencent.com/predicate-gpu-idx-";

void take(Annotations&& from, Annotations& out) {
  for (auto& [key, value] : from) out[key] = std::move(value);
}

Result<> rewrite_gpu_manager(const Annotations& annotations, Annotations& out) {
  HAMI_CHECK(schedulers::gpu_manager_groups(annotations));  // all of them are right
  for (auto it = annotations.lower_bound(std::string(kGpuManager)); it != annotations.end(); ++it) {
    if (!it->first.starts_with(kGpuManager)) break;
    const auto container = text::parse_u64(std::string_view(it->first).substr(kGpuManager.size()));
    const auto index = static_cast<std::uint32_t>(*container);
    HAMI_TRY(const auto share, schedulers::parse_gpu_manager(annotations, index));
    take(schedulers::encode_gpu_manager(*share, index), out);
  }
  return {};
}

Result<std::optional<std::string>> rewritten(const Annotations& annotations, const std::string& key) {
  HAMI_TRY(const auto list, schedulers::pod_allocation(annotations, key));
  if (list) return std::optional<std::string>(schedulers::encode_allocations({*list}).at(key));
  if (key == kKoordinator) {
    HAMI_TRY(const auto devices, schedulers::parse_koordinator(annotations.at(key)));
    return std::optional<std::string>(schedulers::encode_koordinator(devices));
  }
  return rewrite_companion(annotations, key);
}

}  // namespace

Result<Annotations> rewrite_annotations(const Annotations& annotations) {
  Annotations out = annotations;
  for (const auto& annotation : annotations) {
    HAMI_TRY(auto value, rewritten(annotations, annotation.first));
    if (value) out[annotation.first] = *std::move(value);
  }
  HAMI_CHECK(rewrite_gpu_manager(annotations, out));
  return out;
}

}  // namespace hami::shim
