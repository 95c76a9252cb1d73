// What a vendor's driver must be told so that it makes, and destroys, the slice of one device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/discovery.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"
#include "vendors/render.h"

namespace hami::vendors {

// Stands in a call for the number of the subdevice, which may be known only later.
inline constexpr const char* kSubdeviceNumber = "${slice.subdevice}";

inline constexpr int kDriverCallMs = 10'000;

// A program with its arguments, to be run by run_probe.
struct DriverCommand {
  std::string program;
  std::vector<std::string> arguments;
  friend bool operator==(const DriverCommand&, const DriverCommand&) = default;
};

struct SubdevicePlan {
  std::string list;         // host path with one '*': the number of a subdevice that is there
  std::uint32_t first = 0;  // numbers to choose from
  std::uint32_t count = 0;  // 0: the driver chooses, and `list` has the device's own only
  DriverCommand create;
  DriverCommand destroy;
  std::string hint;
  int timeout_ms = kDriverCallMs;  // of one call
};

// For a slice of a recipe with slice.subdevice. Reads the node's files, changes nothing. Fails with not_found
// when the vendor's library or tool is not on this node, with denied when others than root can change it.
[[nodiscard]] Result<SubdevicePlan> plan_subdevice(const Recipe& recipe, const Inventory& inventory,
                                                   const Slice& slice, const HostRoots& roots);

}  // namespace hami::vendors
