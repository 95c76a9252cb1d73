// How much of each device is held, and how much a request would take of it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "oci-config/base/parts.h"
#include "runtime-shim/request/policy.h"
#include "runtime-shim/request/request.h"
#include "runtime-shim/state/ledger.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::shim {

// One device with everything that counts for placing a slice on it.
struct DeviceUse {
  Bytes capacity;           // memory × scaling; 0: unknown
  Percent core_capacity;    // 100 × scaling
  std::uint32_t slots = 0;  // containers it may have
  Bytes memory;             // held
  Percent cores;            // held
  std::uint32_t containers = 0;
  bool exclusive = false;       // somebody has it alone
  std::uint32_t by_engine = 0;  // of the containers, those that an engine gave it to by itself
  std::string mode;             // of its containers, where they all must have the same; "" is the usual one
  Bytes only_size;              // of every slice, where all must have the same memory; 0: any
  std::set<std::uint32_t> slots_taken;
  std::uint32_t parts = 0;  // of its compute, numbered; 0: it has none
  Parts held_parts{};
};

// Uses of the inventory's devices, by position. Sums saturate.
[[nodiscard]] std::vector<DeviceUse> device_uses(const vendors::Recipe& recipe,
                                                 const vendors::Inventory& inventory,
                                                 const std::vector<state::Lease>& leases,
                                                 const Policy& policy);

// What a request takes of one device.
struct Demand {
  Bytes memory;   // held
  Percent cores;  // held
  bool exclusive = false;
  bool by_engine = false;  // an engine has given it already
  Bytes memory_limit;      // 0: no limit
  Percent core_limit;
  std::uint32_t parts = 0;  // of the device's compute, where they are numbered
  std::string mode;         // see DeviceUse
  std::string problem;      // why the device cannot be divided so, whatever is free
};

// The lowest parts nobody has, as many as the demand asks for; fewer where there are no more.
[[nodiscard]] Parts free_parts(const DeviceUse& use, std::uint32_t count);

// The lowest number that no slice of the device has.
[[nodiscard]] std::uint32_t free_slot(const DeviceUse& use);

// `position`: the container's how manieth device it would be, for limits like CUDA_DEVICE_MEMORY_LIMIT_1.
// `mutex`: the request wants no neighbour whatever it takes. HAMi's rules: without any amount the whole
// device, alone; a percentage is of the scaled memory, 100 of it is the whole device, alone; so is 100 % of
// the cores. The recipe rounds: to a template or tier the memory fits in, beyond the largest to the whole
// device.
[[nodiscard]] Demand demand_on(const DeviceUse& use, const VendorRequest& request, std::uint32_t position,
                               bool mutex, const Policy& policy, const vendors::SliceRules& rules,
                               const vendors::Device& device);

// What a request takes of a device that it can only have whole: all of it, alone, without limits. A problem
// when it asks for more memory than the device has.
[[nodiscard]] Demand demand_on_whole(const DeviceUse& use, const VendorRequest& request,
                                     std::uint32_t position, const vendors::Device& device);

// Empty when the device has room for the demand; else what it lacks, for a message.
[[nodiscard]] std::string lacks(const DeviceUse& use, const Demand& demand);

// "37960MiB of 40960MiB and 70% of the cores free, 1 of 10 containers".
[[nodiscard]] std::string describe_free(const DeviceUse& use);

}  // namespace hami::shim
