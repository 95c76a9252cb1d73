#include <json-c/json.h>

#include <algorithm>

#include "oci-config/base/json_scan.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"
#include "runtime-shim/schedulers/mig.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kWhat = "hami.io/vgpu-mig-allocations";

Result<std::optional<MigAllocation::Instance>> read_instance(const JsonReader& entry) {
  const bool uuid = entry.has("migUUID");
  const bool gpu = entry.has("gpuInstanceID");
  const bool compute = entry.has("computeInstanceID");
  if (!uuid && !gpu && !compute) return std::optional<MigAllocation::Instance>{};
  if (!uuid || !gpu || !compute) {
    return entry.error("has only some of migUUID, gpuInstanceID and computeInstanceID");
  }
  MigAllocation::Instance instance;
  HAMI_TRY(instance.uuid, entry.text("migUUID"));
  HAMI_TRY(instance.gpu_instance, entry.number("gpuInstanceID"));
  HAMI_TRY(instance.compute_instance, entry.number("computeInstanceID"));
  return std::optional<MigAllocation::Instance>(std::move(instance));
}

Result<MigAllocation> read_allocation(const JsonReader& entry) {
  MigAllocation out;
  HAMI_TRY(out.container_index, entry.number("containerIndex"));
  HAMI_TRY(out.device_index, entry.number("deviceIndex"));
  HAMI_TRY(out.card, entry.text("gpuUUID"));
  HAMI_TRY(out.profile, entry.text("profile"));
  HAMI_TRY(const JsonReader placement, entry.object("placement"));
  HAMI_TRY(out.start, placement.number("start"));
  HAMI_TRY(out.size, placement.number("size"));
  if (out.card.empty() || out.profile.empty()) return entry.error("has an empty gpuUUID or profile");
  if (out.size == 0) return entry.error("has a placement of size 0");
  HAMI_TRY(out.instance, read_instance(entry));
  return out;
}

}  // namespace

Result<std::vector<MigAllocation>> parse_mig_allocations(std::string_view json) {
  std::vector<MigAllocation> out;
  if (text::trim(json).empty() || is_null(json)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(json, kWhat));
  HAMI_TRY(const auto entries, array_of(parsed.get(), kWhat));
  for (const JsonReader& entry : entries) {
    HAMI_TRY(auto allocation, read_allocation(entry));
    const bool twice = std::any_of(out.begin(), out.end(), [&](const MigAllocation& other) {
      return other.container_index == allocation.container_index &&
             other.device_index == allocation.device_index;
    });
    if (twice) return entry.error("is the second one for its containerIndex and deviceIndex");
    out.push_back(std::move(allocation));
  }
  return out;
}

std::string encode_mig_allocations(const std::vector<MigAllocation>& allocations) {
  const JsonText root(json_object_new_array());
  for (const MigAllocation& allocation : allocations) {
    json_object* entry = json_object_new_object();
    json_object_array_add(root.get(), entry);
    add_number(entry, "containerIndex", allocation.container_index);
    add_number(entry, "deviceIndex", allocation.device_index);
    add_text(entry, "gpuUUID", allocation.card);
    add_text(entry, "profile", allocation.profile);
    json_object* placement = json_object_new_object();
    json_object_object_add(entry, "placement", placement);
    add_number(placement, "start", allocation.start);
    add_number(placement, "size", allocation.size);
    if (!allocation.instance) continue;
    add_text(entry, "migUUID", allocation.instance->uuid);
    add_number(entry, "gpuInstanceID", allocation.instance->gpu_instance);
    add_number(entry, "computeInstanceID", allocation.instance->compute_instance);
  }
  return written(root.get());
}

}  // namespace hami::schedulers
