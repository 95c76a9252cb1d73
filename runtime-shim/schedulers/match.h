// Which of a Pod's groups belongs to this container. An OCI bundle never says the container's place in its
// Pod, and schedulers pad their lists differently from release to release: only what a device plugin put into
// this container is evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/units.h"
#include "runtime-shim/schedulers/records.h"

namespace hami::schedulers {

// What this container shows of the devices it was given, in the order of its limits. Absent parts say
// nothing.
struct Evidence {
  std::vector<std::string> devices;  // identities, from the selector variable, CDI names or mounts
  std::vector<std::optional<std::uint64_t>> memory;  // MiB of the i-th device
  std::optional<std::uint32_t> cores;                // of the first device
  std::optional<std::size_t> count;                  // how many devices, when neither list tells

  [[nodiscard]] bool empty() const { return devices.empty() && memory.empty() && !cores && !count; }
  [[nodiscard]] std::size_t size() const;
};

struct Match {
  enum class Kind {
    none,            // no evidence: not a container with devices
    group,           // `group` is this container's
    evidence_alone,  // the annotation fits not at all, or in several different ways: only the evidence counts
  };
  Kind kind = Kind::none;
  std::size_t group = 0;           // index in the list that was given
  bool identities_differ = false;  // the group fits by its amounts; the devices are the evidence's
  std::string warning;             // one line, for kinds that a person should know about
  friend bool operator==(const Match&, const Match&) = default;
};

// `claimed`: groups that other containers of the same Pod hold already. Never decides by position, and never
// takes "the only group there is" without evidence: a sidecar without devices would get them.
[[nodiscard]] Match match_group(const std::vector<Group>& groups, const Evidence& evidence,
                                const std::vector<std::size_t>& claimed);

}  // namespace hami::schedulers
