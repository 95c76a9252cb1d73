// What hami-probe tells about the devices, and the copy of it that is kept until something on the node
// changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"

namespace hami::vendors {

// A partition of a device that the driver knows by an identity of its own: a MIG instance.
struct ProbedPart {
  std::uint32_t first = 0;   // GPU instance
  std::uint32_t second = 0;  // compute instance in it
  std::string uuid;
  Bytes memory;
  friend bool operator==(const ProbedPart&, const ProbedPart&) = default;
};

struct ProbedDevice {
  std::string bdf;
  std::string uuid;
  std::string model;
  Bytes memory;
  std::optional<std::uint32_t> number{};  // of the device node: NVML's minor, DCMI's physical id
  std::vector<ProbedPart> parts{};
  std::vector<std::string> links{};  // PCI addresses of devices and switches it is linked with, one per link
  friend bool operator==(const ProbedDevice&, const ProbedDevice&) = default;
};

// `key` says for which state of the node the answer holds; empty in what the probe itself prints.
struct ProbeAnswer {
  std::string key;
  std::vector<ProbedDevice> devices;
  friend bool operator==(const ProbeAnswer&, const ProbeAnswer&) = default;
};

// {"key": "…", "devices": [{"bdf", "uuid", "model", "memory", "number", "links": […], "parts": [{"first",
// "second", "uuid", "memory"}]}]}. Fails with io on anything else.
[[nodiscard]] Result<ProbeAnswer> parse_probe_answer(std::string_view json);
[[nodiscard]] std::string to_json(const ProbeAnswer& answer);

}  // namespace hami::vendors
