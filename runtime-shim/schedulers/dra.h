// What the drivers of dynamic resource allocation leave: names of CDI devices made for a claim, and HAMi's
// driver the variables and the directory of its library too. Source: NVIDIA's and HAMi's drivers for GPUs,
// 2025 and 2026, "canonical name" of a device and its CDI kinds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "runtime-shim/schedulers/plugins.h"

namespace hami::schedulers {

// One device of a claim. By number: uuids are in the claim, not in the container.
struct DraDevice {
  std::string driver;  // "gpu.nvidia.com"
  std::string claim;   // its uid; "" for a name of the class "device", which is the same for every claim
  enum class Kind { gpu, shared, mig, vfio };
  Kind kind = Kind::gpu;
  std::uint32_t minor = 0;  // of the card; its index for vfio
  struct Placement {
    std::uint32_t profile = 0;  // NVML's id
    std::uint32_t start = 0;
    std::uint32_t size = 0;
    friend bool operator==(const Placement&, const Placement&) = default;
  };
  std::optional<Placement> mig;
  friend bool operator==(const DraDevice&, const DraDevice&) = default;
};

// "k8s.gpu.nvidia.com/claim=<uid>-gpu-0", "…/device=gpu-0-mig-19-4-1", "…/device=gpu-vfio-1",
// "k8s.hami-core-gpu.project-hami.io/claim=<uid>-hami-gpu-0". nullopt: not a name of such a driver. Fails
// with invalid_request, naming the text, on one of such a driver with another device.
[[nodiscard]] Result<std::optional<DraDevice>> parse_dra_device(const CdiName& name);
[[nodiscard]] CdiName encode_dra_device(const DraDevice& device);

// The claim whose directory HAMi's driver mounted there, "/usr/local/vgpu/claims/<uid>"; "" for another path.
[[nodiscard]] std::string_view claim_of_directory(std::string_view path);

}  // namespace hami::schedulers
