// Which annotation of a Pod holds whose allocations.
#pragma once

#include <map>
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
  std::vector<Group> groups;  // without padding; positions are no evidence of a container's place
  friend bool operator==(const PodAllocation&, const PodAllocation&) = default;
};

// Every annotation that is an allocation: hami.io/*-devices-allocated, hami.io/kunlun-allocated,
// volcano.sh/vgpu-ids-new. Sorted by key; values of empty groups alone give an entry without groups. Fails
// with invalid_request on a value that cannot be decoded, naming its key: a limit is never guessed.
[[nodiscard]] Result<std::vector<PodAllocation>> pod_allocations(
    const std::map<std::string, std::string>& annotations);

}  // namespace hami::schedulers
