// Which annotation of a Pod holds whose allocations.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/schedulers/records.h"

namespace hami::schedulers {

enum class Scheduler { hami, volcano };

// The allocations of one vendor in a Pod, as one annotation tells them.
struct PodAllocation {
  std::string key;  // of the annotation
  std::string
      vendor;  // name of the recipe: "nvidia", "ascend" …; "" for a key of HAMi's form that is not known here
  std::string chip;  // the common word of vendors with one key per chip: "Ascend910B3"; else ""
  Scheduler scheduler = Scheduler::hami;
  // Some groups may be missing: a device plugin blanks the list that it works through, and this is that one.
  bool worked_through = false;
  std::vector<Group> groups;  // without padding; positions are no evidence of a container's place
  friend bool operator==(const PodAllocation&, const PodAllocation&) = default;
};

// The allocation that the annotation `key` is, nullopt when it is none: hami.io/*-devices-allocated,
// hami.io/kunlun-allocated, volcano.sh/vgpu-ids-new. The list that a device plugin works through
// (hami.io/*-devices-to-allocate, volcano.sh/devices-to-allocate) is one only where the first is missing, or
// was blanked too, as Biren's plugin does. Records of other vendors' devices are left out: schedulers up
// to 2.9 mix the lists of a container with two vendors. Values of empty groups alone give an entry without
// groups. Fails with invalid_request on a value that cannot be decoded, naming its key: a limit is never
// guessed.
[[nodiscard]] Result<std::optional<PodAllocation>> pod_allocation(
    const std::map<std::string, std::string>& annotations, const std::string& key);

// All of them, sorted by key.
[[nodiscard]] Result<std::vector<PodAllocation>> pod_allocations(
    const std::map<std::string, std::string>& annotations);

// What pod_allocations reads.
[[nodiscard]] std::map<std::string, std::string> encode_allocations(
    const std::vector<PodAllocation>& allocations);

}  // namespace hami::schedulers
