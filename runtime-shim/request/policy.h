// What this node allows: the [policy] section of config.toml as types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/units.h"
#include "vendors/mode.h"

namespace hami::shim {

// Whose environment variables may ask for devices. Annotations always may.
enum class EnvRequests {
  always,
  outside_kubernetes,  // a Pod's image could ask for what its owner was not given
  device_plugins,      // in Pods only what names devices as a device plugin does: by uuid, or by mounts
  privileged,          // only of containers that may administer the system, in Pods and elsewhere
  never,
};

// Whether a container that may administer the system, and so could undo what holds it, can ask for a part.
enum class PrivilegedParts { allow, refuse };

// The most that the containers of one namespace of Kubernetes hold together on this node. Absent: no bound.
struct Ceiling {
  std::optional<std::uint32_t> count;  // devices and parts of devices
  std::optional<Bytes> memory;
  std::optional<Percent> cores;
  friend bool operator==(const Ceiling&, const Ceiling&) = default;
};
// The namespace that stands for every one that has no ceiling of its own.
inline constexpr const char* kEveryNamespace = "*";

// What happens to a container whose slice cannot be held: no glibc in the image, or control switched off.
enum class Unenforced { refuse, allow };

// What a container holds that names whole devices with a vendor's own variable and sets no limit.
enum class VendorVariables {
  exclusive,  // the devices are its own
  shared,     // as under the vendor's runtime: nothing is held, others may use the devices too
};

// Devices that an engine gives by itself, by --device or by its own support of CDI.
enum class EngineDevices {
  count,   // the ledger has them, and no slice of them is given beside
  ignore,  // they are the engine's affair
};

// Which device a slice is put on.
enum class Placement {
  binpack,  // the fullest that has room
  spread,   // the emptiest
  numa,     // like binpack, but several devices from one NUMA node when one can give them all
};

// A factor with three decimal places: 1500 is 1.5.
struct Scaling {
  std::uint32_t thousandths = 1000;
  friend bool operator==(const Scaling&, const Scaling&) = default;
  [[nodiscard]] constexpr Bytes of(Bytes bytes) const {
    return Bytes{bytes.value / 1000 * thousandths + bytes.value % 1000 * thousandths / 1000};
  }
  [[nodiscard]] constexpr Percent of(Percent percent) const {
    return Percent{percent.value * thousandths / 1000};
  }
};

struct Policy {
  EnvRequests env_requests = EnvRequests::outside_kubernetes;
  Unenforced unenforced = Unenforced::refuse;
  VendorVariables vendor_variables = VendorVariables::exclusive;
  EngineDevices engine_devices = EngineDevices::count;
  Placement placement = Placement::binpack;
  Scaling memory_scaling;                   // capacity of a device's memory: above 1 is overcommitment
  Scaling core_scaling;                     // capacity of a device's compute
  std::uint32_t split_count = 10;           // containers on one device
  std::uint32_t volcano_memory_factor = 1;  // MiB in one unit of Volcano's memory
  std::uint32_t default_count = 1;  // devices, when only memory or cores are asked for; 0: that is an error
  Bytes default_memory;             // per device, when a request names none; 0: all of it
  Percent default_cores;            // per device, when a request names none; 0: no limit
  bool card_boards = true;          // containers on one card see one another's use of it
  Percent share_floor{5};           // of a card, for a task that more important ones push aside
  std::uint32_t memory_wait = 0;    // seconds for which a request waits for a card that is full
  bool lenient = false;  // a Pod's allocation that cannot be read counts as absent, not as an error
  std::vector<std::string> syscalls;  // that recipes may let through a container's own filter
  // Modes that requests may choose; without hami_core, what names no mode has the first of these with room.
  std::vector<vendors::Mode> allowed_modes{vendors::Mode::hami_core, vendors::Mode::mig};
  PrivilegedParts privileged_parts = PrivilegedParts::allow;
  std::map<std::string, Ceiling> namespaces;  // by name
  friend bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace hami::shim
