// What the device plugins of single vendors read beside the common list of groups: annotations of their own.
// Every reader fails with invalid_request, naming place and text; the caller adds the key. Every writer gives
// what its reader reads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::schedulers {

// One element of huawei.com/<chip>: a flat list over all containers, in the order of the groups.
struct AscendShare {
  std::string uuid;
  std::string cut;           // the chip's template, "vir05_1c_16g"; "" for a whole card or a part by library
  std::uint32_t memory = 0;  // MiB; 0: not said
  std::uint32_t cores = 0;   // percent, or AI cores of the template; 0: not said
  friend bool operator==(const AscendShare&, const AscendShare&) = default;
};
// A JSON array whose members are left out when they are zero, or null for none.
[[nodiscard]] Result<std::vector<AscendShare>> parse_ascend_shares(std::string_view value);
[[nodiscard]] std::string encode_ascend_shares(const std::vector<AscendShare>& shares);

// huawei.com/npu-core as Koordinator writes it: "3-vir04" is a part of card 3, "0,1" are whole cards.
struct NpuCore {
  std::vector<std::uint32_t> minors;
  std::string cut;
  friend bool operator==(const NpuCore&, const NpuCore&) = default;
};
[[nodiscard]] Result<NpuCore> parse_npu_core(std::string_view value);
[[nodiscard]] std::string encode_npu_core(const NpuCore& cards);

// huawei.com/<chip> as Koordinator writes it: "Ascend310P-0,Ascend310P-3".
[[nodiscard]] Result<std::vector<std::uint32_t>> parse_ascend_names(std::string_view value,
                                                                    std::string_view chip);
[[nodiscard]] std::string encode_ascend_names(const std::vector<std::uint32_t>& minors,
                                              std::string_view chip);

// CAMBRICON_DSMLU_PROFILE: "<card>_<percent>_<memory in 256 MiB>" of the first device.
struct MluProfile {
  std::uint32_t card = 0;
  std::uint32_t cores = 0;
  std::uint32_t blocks = 0;
  friend bool operator==(const MluProfile&, const MluProfile&) = default;
};
[[nodiscard]] Result<MluProfile> parse_mlu_profile(std::string_view value);
[[nodiscard]] std::string encode_mlu_profile(const MluProfile& profile);

// CAMBRICON_DSMLU_PROFILE_INSTANCE: what the plugin made of it.
struct MluInstance {
  std::uint32_t profile = 0;
  std::uint32_t handle = 0;
  std::uint32_t slot = 0;
  std::uint32_t instance = 0;
  friend bool operator==(const MluInstance&, const MluInstance&) = default;
};
[[nodiscard]] Result<MluInstance> parse_mlu_instance(std::string_view value);
[[nodiscard]] std::string encode_mlu_instance(const MluInstance& instance);

// A comma list of plain numbers: cards of Moore Threads, Kunlun, Koordinator and Volcano's older plugin, and
// ids of AWS Neuron.
[[nodiscard]] Result<std::vector<std::uint32_t>> parse_numbers(std::string_view list);
[[nodiscard]] std::string encode_numbers(const std::vector<std::uint32_t>& numbers);

// metax-tech.com/gpu-devices-allocated: one list for each container of the Pod.
struct MetaxShare {
  std::string uuid;
  std::uint32_t compute = 0;  // percent
  std::uint32_t memory = 0;   // MiB
  friend bool operator==(const MetaxShare&, const MetaxShare&) = default;
};
[[nodiscard]] Result<std::vector<std::vector<MetaxShare>>> parse_metax_shares(std::string_view value);
[[nodiscard]] std::string encode_metax_shares(const std::vector<std::vector<MetaxShare>>& containers);

// assigned-containers of Enflame: by the container's name, which no other annotation of HAMi has.
struct GcuAssignment {
  bool allocated = false;  // the plugin made the instance
  std::uint32_t request = 0;
  std::string profile_id;
  std::string profile;  // "3g.24gb"
  std::string instance_id;
  std::string instance_uuid;
  friend bool operator==(const GcuAssignment&, const GcuAssignment&) = default;
};
[[nodiscard]] Result<std::map<std::string, GcuAssignment>> parse_assigned_containers(std::string_view value);
[[nodiscard]] std::string encode_assigned_containers(const std::map<std::string, GcuAssignment>& containers);

// hami.io/amd-cu-allocated: the compute units of each card, "0-75,80".
struct CuRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  // with it
  friend bool operator==(const CuRange&, const CuRange&) = default;
};
using CuLists = std::map<std::string, std::vector<CuRange>>;
[[nodiscard]] Result<CuLists> parse_cu_lists(std::string_view value);
[[nodiscard]] std::string encode_cu_lists(const CuLists& lists);

}  // namespace hami::schedulers
