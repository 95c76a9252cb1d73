// How schedulers name a MIG slice of a card: a suffix of its uuid (HAMi up to 2.9, Volcano), or a list beside
// it (HAMi 2.10).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::schedulers {

// "GPU-a[1-0]": template 1 of the card's list, slot 0 of it.
struct MigSlot {
  std::string uuid;  // of the card
  std::uint32_t template_index = 0;
  std::uint32_t slot = 0;
  friend bool operator==(const MigSlot&, const MigSlot&) = default;
};

// "GPU-a[group1-0]".
struct VolcanoMigSlot {
  std::string uuid;
  std::string group;
  std::uint32_t position = 0;
  friend bool operator==(const VolcanoMigSlot&, const VolcanoMigSlot&) = default;
};

// Fails with invalid_request, naming the text, when '[' or ']' or the '-' between them is missing, or a
// number is none. Further parts behind a second '-' are ignored.
[[nodiscard]] Result<MigSlot> parse_mig_slot(std::string_view uuid);
[[nodiscard]] Result<VolcanoMigSlot> parse_volcano_mig_slot(std::string_view uuid);

[[nodiscard]] std::string encode_mig_slot(const MigSlot& slot);
[[nodiscard]] std::string encode_volcano_mig_slot(const VolcanoMigSlot& slot);

// The card's own uuid: the text before '['.
[[nodiscard]] std::string_view card_uuid(std::string_view uuid);

// One entry of the annotation hami.io/vgpu-mig-allocations.
struct MigAllocation {
  std::uint32_t container_index = 0;  // the group's index, which need not be the container's
  std::uint32_t device_index = 0;
  std::string card;     // uuid
  std::string profile;  // "1g.10gb"
  std::uint32_t start = 0;
  std::uint32_t size = 0;
  // Known once the instance has been made.
  struct Instance {
    std::string uuid;  // "MIG-…"
    std::uint32_t gpu_instance = 0;
    std::uint32_t compute_instance = 0;
    friend bool operator==(const Instance&, const Instance&) = default;
  };
  std::optional<Instance> instance;
  friend bool operator==(const MigAllocation&, const MigAllocation&) = default;
};

// "" means none. Fails with invalid_request on anything but an array of complete entries: negative numbers,
// an empty card or profile, size 0, an instance with only some of its three members, two entries for one
// device of a group.
[[nodiscard]] Result<std::vector<MigAllocation>> parse_mig_allocations(std::string_view json);
[[nodiscard]] std::string encode_mig_allocations(const std::vector<MigAllocation>& allocations);

}  // namespace hami::schedulers
