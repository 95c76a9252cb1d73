// What device plugins that allocate by themselves leave: NVIDIA's (also with time slicing and MPS), CDI, and
// the shares of KAI's scheduler and GPU-Manager.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"

namespace hami::schedulers {

// A device as the kubelet knows it: "<uuid>-<n>" of HAMi's plugin, "<uuid>::<n>" of NVIDIA's time slicing,
// or a plain uuid.
struct KubeletDevice {
  std::string uuid;
  std::optional<std::uint32_t> replica;
  friend bool operator==(const KubeletDevice&, const KubeletDevice&) = default;
};
// `split`: the plugin hands out "<uuid>-<n>"; a uuid may end in "-<digits>" by itself.
[[nodiscard]] KubeletDevice parse_kubelet_device(std::string_view id, bool split);
[[nodiscard]] std::string encode_kubelet_device(const KubeletDevice& device, bool split);

// "vendor.com/class=name".
struct CdiName {
  std::string vendor;
  std::string device_class;
  std::string name;
  friend bool operator==(const CdiName&, const CdiName&) = default;
};
// A comma list of them. Fails with invalid_request, naming position and text, on a name that CDI does not
// allow. Source: CDI specification 0.8, "kind" and "name".
[[nodiscard]] Result<std::vector<CdiName>> parse_cdi_names(std::string_view list);
[[nodiscard]] std::string encode_cdi_names(const std::vector<CdiName>& names);

// What one of `replicas` clients of an MPS daemon may use of a card. Source: NVIDIA's device plugin, sharing
// by MPS: whole MiB and whole percent, rounded down.
struct MpsShare {
  Bytes memory;
  Percent threads;
  friend bool operator==(const MpsShare&, const MpsShare&) = default;
};
// Fails with invalid_request when no or too many clients share the card: 48 from compute capability 7.5 on,
// else 16.
[[nodiscard]] Result<MpsShare> mps_share(Bytes card, std::uint32_t replicas, std::uint32_t most_clients = 48);
// "6144M", as CUDA_MPS_PINNED_DEVICE_MEM_LIMIT takes it.
[[nodiscard]] std::string encode_mps_memory(Bytes memory);

// What KAI's binder gives for gpu-memory (MiB) on a card of that size: its scheduler keeps two decimals of a
// fraction, rounded up. Fails with invalid_request for more than the card, or nothing.
[[nodiscard]] Result<Bytes> kai_memory(std::string_view gpu_memory, Bytes card);
// For gpu-fraction, "0.5": above 0, at most 1.
[[nodiscard]] Result<Bytes> kai_fraction(std::string_view gpu_fraction, Bytes card);

}  // namespace hami::schedulers
