#include <algorithm>
#include <cstdint>

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
  // All of a card is a card without limits, as its node agent has it.
  const std::uint64_t mib = device.memory && share ? device.memory->whole_mib() : kAllMemory;
  const std::uint32_t core = device.core.value_or(share ? 0 : 100);
  return DeviceRecord{name, device.type, static_cast<std::int32_t>(std::min<std::uint64_t>(mib, kAllMemory)),
                      static_cast<std::int32_t>(std::min<std::uint32_t>(core, INT32_MAX))};
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
