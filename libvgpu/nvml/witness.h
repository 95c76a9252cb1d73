// What NVML says about this process: it counts every byte of the card, also those that no function asks for
// by name. NVML knows processes by the pids of the host. A process in a pid namespace learns its own when it
// makes a context: then one entry is new in the list.
#pragma once

#include <cstdint>

#include "libvgpu/nvml/host_list.h"
#include "libvgpu/nvml/types.h"

namespace hami::vgpu {

// The processes that compute on one device, as NVML lists them.
struct Witness {
  bool is_known = false;  // NVML answered, and all of its entries are here
  HostList<nvmlProcessInfo_v2_t> list;

  // Asks NVML about the container's device `device`. Opens NVML when the program has not.
  void look(unsigned device) noexcept;
};

// Takes the one entry of `after` that `before` lacks for this process, when it is not known yet which it is.
void learn_self(const Witness& before, const Witness& after) noexcept;

// The bytes of the card that this process holds by `witness`. False when NVML does not say.
bool own_bytes(const Witness& witness, std::uint64_t& bytes) noexcept;

// The same, asked now. Costs nothing while nobody knows which entry is this process.
bool own_bytes(unsigned device, std::uint64_t& bytes) noexcept;

// In the child of a fork.
void forget_witness() noexcept;

}  // namespace hami::vgpu
