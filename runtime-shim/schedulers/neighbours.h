// Schedulers besides HAMi and Volcano: Koordinator and GPU-Manager.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"
#include "runtime-shim/schedulers/records.h"

namespace hami::schedulers {

// One device of a Koordinator allocation. It is the Pod's, not one container's.
struct KoordinatorDevice {
  std::string type;  // "gpu", "rdma", …
  std::uint32_t minor = 0;
  std::string id;                     // uuid; may be empty
  std::optional<std::uint32_t> core;  // percent
  std::optional<Bytes> memory;
  std::optional<std::uint32_t> memory_ratio;  // percent
  friend bool operator==(const KoordinatorDevice&, const KoordinatorDevice&) = default;
};

// Value of scheduling.koordinator.sh/device-allocated. Fails with invalid_request on anything else than that
// shape.
[[nodiscard]] Result<std::vector<KoordinatorDevice>> parse_koordinator(std::string_view json);

// The devices of one type as a group: each by its uuid, else its minor. Fails with invalid_request on a share
// (a ratio below 100) without an amount of memory.
[[nodiscard]] Result<Group> koordinator_group(const std::vector<KoordinatorDevice>& devices,
                                              std::string_view type);

// What parse_koordinator reads.
[[nodiscard]] std::string encode_koordinator(const std::vector<KoordinatorDevice>& devices);

// What GPU-Manager decided for one container.
struct GpuManagerShare {
  std::uint32_t core = 0;  // 100 is one card
  Bytes memory;            // 0 when whole cards are given
  std::vector<std::uint32_t> minors;
  friend bool operator==(const GpuManagerShare&, const GpuManagerShare&) = default;

  // Multiples of 100 are whole cards with the vendor's own libraries.
  [[nodiscard]] bool is_whole_cards() const { return core >= 100 && core % 100 == 0; }
};

// From tencent.com/vcuda-core, vcuda-memory and predicate-gpu-idx-<container>. The memory is in blocks of 256
// MiB as in a Pod's limits; its device plugin writes bytes into the same annotation of a container, which no
// number of blocks reaches. nullopt when the Pod has none of them; invalid_request, naming the key, for a
// value that is not a number or a list of numbers, or a share above one card that is no multiple of 100.
// `container` is the index in spec.containers.
[[nodiscard]] Result<std::optional<GpuManagerShare>> parse_gpu_manager(
    const std::map<std::string, std::string>& annotations, std::uint32_t container);

// One group for each tencent.com/predicate-gpu-idx-<n>, by n, with this container's amounts: which of them is
// its own its devices tell. Without an amount the records have a memory of 0, which is no share. Fails like
// parse_gpu_manager.
[[nodiscard]] Result<std::vector<Group>> gpu_manager_groups(
    const std::map<std::string, std::string>& annotations);

// What parse_gpu_manager reads, the memory in blocks where it is a number of them.
[[nodiscard]] std::map<std::string, std::string> encode_gpu_manager(const GpuManagerShare& share,
                                                                    std::uint32_t container);

}  // namespace hami::schedulers
