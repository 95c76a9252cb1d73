// Which of a Pod's groups belongs to this container. An OCI bundle never says the container's place in its
// Pod, and schedulers pad their lists differently from release to release: only what a device plugin put into
// this container is evidence.
#pragma once

#include <cstdint>
#include <functional>
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
  // Device nodes of the vendor's devices, by their path: they are identities once the node's devices are
  // known, and no more than a sign that there is a device before.
  std::vector<std::string> nodes;
  std::vector<std::optional<std::uint32_t>> cores_each;  // of the i-th device, where that is said

  friend bool operator==(const Evidence&, const Evidence&) = default;
  [[nodiscard]] bool empty() const {
    return devices.empty() && memory.empty() && !cores && !count && nodes.empty();
  }
  [[nodiscard]] std::size_t size() const;
};

struct Match {
  enum class Kind {
    none,            // no evidence: not a container with devices
    group,           // `group` is this container's
    evidence_alone,  // the annotation fits not at all, or in several different ways: only the evidence counts
    taken,           // what fits belongs to other containers of the Pod
    contradiction,   // several groups have its devices, and none has its amounts
  };
  Kind kind = Kind::none;
  std::size_t group = 0;           // index in the list that was given
  bool identities_differ = false;  // the group fits by its amounts; the devices are the evidence's
  bool amounts_differ = false;     // the group fits by its devices; the amounts are the group's
  std::string warning;             // one line, for kinds that a person should know about
  friend bool operator==(const Match&, const Match&) = default;
};

// Whether the uuid of a record and an identity from the evidence mean one device. Vendors have several names
// for a device: a number in the variable, a uuid in the annotation.
using SameDevice = std::function<bool(const std::string& recorded, const std::string& shown)>;

// The same text, or the card of a MIG slice.
[[nodiscard]] bool same_name(const std::string& recorded, const std::string& shown);

// `claimed`: groups that other containers of the same Pod hold already. Never decides by position, and never
// takes "the only group there is" without evidence: a sidecar without devices would get them. A container
// that has the devices of exactly one group, but other amounts, has that group's amounts: its owner changed
// the variables of its device plugin.
[[nodiscard]] Match match_group(const std::vector<Group>& groups, const Evidence& evidence,
                                const std::vector<std::size_t>& claimed, const SameDevice& same = same_name);

// The same for a container whose variables stand there several times, because image, device plugin and Pod
// all set them: `choices` holds one evidence for each layer. The first that fits a group by devices and
// amounts counts; then the first that fits in part, where its devices are not in doubt.
[[nodiscard]] Match match_any(const std::vector<Group>& groups, const std::vector<Evidence>& choices,
                              const std::vector<std::size_t>& claimed, const SameDevice& same,
                              std::size_t& chosen);

}  // namespace hami::schedulers
