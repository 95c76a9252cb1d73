// What an image says it needs of the driver: NVIDIA_REQUIRE_CUDA="cuda>=12.4 brand=tesla,driver>=470".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/view.h"
#include "runtime-shim/allocation.h"

namespace hami::shim {

enum class Property { cuda, driver, arch, brand };
enum class Comparison { equal, unequal, less, at_most, greater, at_least };

struct Condition {
  Property property = Property::cuda;
  Comparison comparison = Comparison::equal;
  std::string value;
  friend bool operator==(const Condition&, const Condition&) = default;
};

// One of the alternatives must hold, with all of its conditions.
using Requirement = std::vector<std::vector<Condition>>;

// Blanks between alternatives, commas between conditions. "" requires nothing. Fails with invalid_request,
// naming position and text. Source: NVIDIA Container Toolkit, "Constraints".
[[nodiscard]] Result<Requirement> parse_requirement(std::string_view text);

// What is known about the driver and a device; what is not is nullopt.
struct DriverFacts {
  std::optional<std::string> cuda;    // newest CUDA the driver serves, "12.4"
  std::optional<std::string> driver;  // "550.90.07"
  std::optional<std::string> arch;    // compute capability, "8.0"
  std::optional<std::string> brand;   // lower case, "tesla"
  friend bool operator==(const DriverFacts&, const DriverFacts&) = default;
};

// False only when every alternative has a condition that is known not to hold.
[[nodiscard]] bool is_met(const Requirement& requirement, const DriverFacts& facts);

// `device`: null for a container that gets the driver without a device.
[[nodiscard]] DriverFacts facts_of(const vendors::Inventory& inventory, const vendors::Device* device);

// Checks every NVIDIA_REQUIRE_* of the container, and CUDA_VERSION of images older than those, against the
// granted devices; NVIDIA_DISABLE_REQUIRE says not to. Fails with denied when one is not met (the message
// says what the image needs and what the node has), with invalid_request on one that cannot be read.
[[nodiscard]] Result<> check_requirements(const oci::ContainerView& container,
                                          const VendorAllocation& allocation, const VendorNode& node);

}  // namespace hami::shim
