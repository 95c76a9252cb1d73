#include "runtime-shim/schedulers/amounts.h"

#include <algorithm>
#include <array>
#include <string>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

struct Units {
  std::string_view key;
  bool divides_memory;  // else the record is about whole devices, whatever number it has
  std::uint32_t cores;  // that are a whole device; 0: the number is no share (compute units, a bit mask)
};

// Keys that are not here have MiB and percent.
constexpr std::array<Units, 8> kUnits{{
    {"hami.io/amd-devices-allocated", true, 0},
    {"hami.io/mthreads-vgpu-devices-allocated", true, 16},
    {"hami.io/kunlun-allocated", false, 100},
    {"hami.io/metax-gpu-devices-allocated", false, 100},
    {"hami.io/enflame-gcu-devices-allocated", false, 100},
    {"hami.io/aws-neuron-devices-allocated", false, 0},
    {"hami.io/Vastai-devices-allocated", false, 0},
    {"hami.io/Biren-devices-allocated", false, 0},
}};

Units units_of(std::string_view key) {
  const auto known =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Units& units) { return units.key == key; });
  return known == kUnits.end() ? Units{key, true, 100} : *known;
}

tl::unexpected<Error> bad(std::string_view key, const DeviceRecord& record, std::string_view what,
                          std::int32_t value) {
  return fail(Errc::invalid_request,
              text::cat({"annotation ", text::quote(key), ": device ", text::quote(record.uuid, 100), " has ",
                         what, " of ", std::to_string(value), ", which is no share of a device"}));
}

Percent share(std::int32_t cores, std::uint32_t whole) {
  const std::uint64_t percent = (static_cast<std::uint64_t>(cores) * 100 + whole - 1) / whole;
  return Percent{static_cast<std::uint32_t>(std::min<std::uint64_t>(percent, 100))};
}

}  // namespace

Result<Amounts> amounts_of(const DeviceRecord& record, std::string_view key) {
  const Units units = units_of(key);
  Amounts out;
  if (units.divides_memory) {
    if (record.memory <= 0) return bad(key, record, "a memory", record.memory);
    if (record.memory != kAllMemory) out.memory = Bytes::mib(static_cast<std::uint64_t>(record.memory));
  }
  if (units.cores == 0) return out;
  if (record.cores < 0) return bad(key, record, "cores", record.cores);
  out.cores = share(record.cores, units.cores);
  return out;
}

Result<> scale_memory(Group& group, std::uint32_t factor, std::string_view key) {
  for (DeviceRecord& record : group) {
    if (record.memory == kAllMemory || record.memory <= 0) continue;
    const std::uint64_t mib = static_cast<std::uint64_t>(record.memory) * factor;
    if (mib >= static_cast<std::uint64_t>(kAllMemory)) {
      return fail(Errc::invalid_request,
                  text::cat({"annotation ", text::quote(key), ": device ", text::quote(record.uuid, 100),
                             " has a memory of ", std::to_string(record.memory), " units of ",
                             std::to_string(factor), " MiB, which is more than any device has"}),
                  "set [kubernetes] volcano_memory_factor to what Volcano's device plugin has");
    }
    record.memory = static_cast<std::int32_t>(mib);
  }
  return {};
}

}  // namespace hami::schedulers
