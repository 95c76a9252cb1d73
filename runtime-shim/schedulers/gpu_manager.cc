#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::schedulers {

namespace {

constexpr const char* kCore = "tencent.com/vcuda-core";
constexpr const char* kMemory = "tencent.com/vcuda-memory";
constexpr std::string_view kIndex = "tencent.com/predicate-gpu-idx-";

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
    if (!minor || *minor > 1023) return bad(key, list, "a list of card numbers");
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
  HAMI_TRY(const auto core, number(annotations, kCore, 102400));
  HAMI_TRY(share.blocks, number(annotations, kMemory, 1U << 20U));
  share.core = static_cast<std::uint32_t>(core);
  if (core > 100 && core % 100 != 0)
    return bad(kCore, annotations.at(kCore), "below 100 or a multiple of 100");
  if (index != annotations.end()) {
    HAMI_TRY(share.minors, minors_of(index_key, index->second));
  }
  return std::optional<GpuManagerShare>(std::move(share));
}

}  // namespace hami::schedulers
