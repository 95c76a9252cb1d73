// The accelerators of this node, as types.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "oci-config/base/units.h"

namespace hami::vendors {

// One whole device. `fields` holds what the recipe's device table extracted (minor, bdf, drm.card …) and is
// what
// ${dev.<name>} means in the recipe; index, uuid and bdf are always there too.
struct Device {
  std::string vendor;      // recipe name: "nvidia"
  std::string uuid;        // identity, stable across reboots: "GPU-…"
  std::uint32_t index{};   // host ordinal, by the recipe's order
  std::string model;       // "NVIDIA A100-SXM4-80GB"; empty when unknown
  Bytes memory;            // 0 when unknown
  std::string pci_bus_id;  // "0000:3b:00.0"; empty when not a PCI device
  int numa_node = -1;
  std::vector<std::string>
      pci_path{};  // bridges from the host bridge to it, by their names in sysfs; may be empty
  std::vector<std::string> links{};  // PCI addresses at the other ends of its links; one for each link
  std::string parent;                // uuid of the device this is a partition of; empty: a whole device
  std::vector<std::string> aliases;  // other names a request may use
  std::map<std::string, std::string> fields;
  friend bool operator==(const Device&, const Device&) = default;
};

struct SliceRules;

// Into how many equal parts of compute the recipe divides this device, at most 128; 0: it does not.
[[nodiscard]] std::uint32_t core_steps_of(const SliceRules& rules, const Device& device);

// What one vendor has on this node. Devices sorted by index.
struct Inventory {
  std::string vendor;
  std::map<std::string, std::string> roots;  // "driver" → "/", "dev" → "/"
  std::map<std::string, std::string> vars;   // "driver.version" → "550.90.07"
  std::vector<Device> devices;

  // By index ("0"), uuid or alias; null when the node has no such device.
  [[nodiscard]] const Device* find(std::string_view name) const;
  friend bool operator==(const Inventory&, const Inventory&) = default;
};

}  // namespace hami::vendors
