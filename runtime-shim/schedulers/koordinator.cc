#include <algorithm>
#include <limits>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::schedulers {

namespace {

Result<DeviceRecord> record_of(const KoordinatorDevice& device) {
  const std::string name = device.id.empty() ? std::to_string(device.minor) : device.id;
  const bool share = device.memory_ratio.value_or(100) < 100;
  if (!device.memory && share) {
    return fail(Errc::invalid_request,
                text::cat({"scheduling.koordinator.sh/device-allocated: ", device.type, " ",
                           text::quote(name), " is shared, but has no koordinator.sh/gpu-memory"}));
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::uint64_t mib = device.memory ? device.memory->whole_mib() : kMost;
  return DeviceRecord{name, device.type, static_cast<std::int32_t>(std::min(mib, kMost)),
                      static_cast<std::int32_t>(device.core.value_or(0))};
}

}  // namespace

Result<Group> koordinator_group(const std::vector<KoordinatorDevice>& devices, std::string_view type) {
  Group group;
  for (const KoordinatorDevice& device : devices) {
    if (device.type != type) continue;
    HAMI_TRY(auto record, record_of(device));
    group.push_back(std::move(record));
  }
  return group;
}

}  // namespace hami::schedulers
