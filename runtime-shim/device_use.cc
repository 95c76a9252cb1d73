#include "runtime-shim/device_use.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "oci-config/base/text.h"
#include "vendors/render.h"

namespace hami::shim {

namespace {

template <typename Number>
Number add_saturating(Number a, Number b) {
  return b > static_cast<Number>(-1) - a ? static_cast<Number>(-1) : static_cast<Number>(a + b);
}

template <typename Limits>
auto limit_at(const Limits& limits, std::uint32_t position) {
  const auto it = limits.find(position);
  return it == limits.end() ? nullptr : &it->second;
}

// Percentages are of whole MiB, as HAMi's scheduler counts; never less than one unit.
Bytes percent_of(Bytes capacity, Percent percent, Bytes unit) {
  const std::uint64_t mib = capacity.whole_mib() * percent.value / 100;
  const std::uint64_t bytes = Bytes::mib(mib).value;
  const std::uint64_t step = std::max<std::uint64_t>(unit.value, 1);
  return Bytes{std::max(step, bytes / step * step)};
}

// The memory that the request names for this device; nullopt: all of it.
std::optional<Bytes> named_memory(const DeviceUse& use, const VendorRequest& request, std::uint32_t position,
                                  Bytes unit) {
  if (const auto* own = limit_at(request.memory_of, position)) return own->value;
  if (request.memory) return request.memory->value;
  const bool part = request.memory_percent && request.memory_percent->value.value % 100 != 0;
  if (part && use.capacity.value != 0) return percent_of(use.capacity, request.memory_percent->value, unit);
  return std::nullopt;
}

std::optional<Percent> named_cores(const VendorRequest& request, std::uint32_t position) {
  if (const auto* own = limit_at(request.cores_of, position)) return own->value;
  if (request.cores) return request.cores->value;
  return std::nullopt;
}

// Without a word about cores: is the whole device meant?
bool means_whole_device(const VendorRequest& request, bool memory_named, const Policy& policy) {
  if (request.memory_percent) return request.memory_percent->value.value == 100;
  if (request.size) return false;
  return !memory_named && policy.default_memory.value == 0 && policy.default_cores.value == 0;
}

bool is_shared_whole(const VendorRequest& request, const Policy& policy) {
  return policy.vendor_variables == VendorVariables::shared && !request.count && !request.has_limit();
}

// Numbered parts as a percentage that gives exactly so many of them back.
Percent percent_of_parts(const Stated<std::uint32_t>& asked, std::uint32_t parts, std::string& problem) {
  if (asked.value > parts) {
    problem = text::cat({"a device has ", text::number(parts), " of what ", asked.origin, " asks for"});
    return Percent{100};
  }
  return Percent{(asked.value * 100 + parts - 1) / parts};
}

// An amount of memory as the device's driver gives it.
struct Fitted {
  std::optional<Bytes> memory;  // none: the whole device
  Percent cores;                // 0: the size says nothing about them
  std::string problem;
};

Fitted fit_unit(Bytes memory, const vendors::SliceRules& rules) {
  const std::uint64_t unit = std::max<std::uint64_t>(rules.memory_unit.value, 1);
  const std::uint64_t over = memory.value % unit;
  // A limit in bytes, as HAMi-core's variables can state it, is held as it is.
  if (over == 0 || unit <= Bytes::mib(1).value) return {memory, {}, {}};
  if (rules.rounding == vendors::Rounding::exact) {
    return {memory, {}, text::cat({"memory is given in multiples of ", to_text(rules.memory_unit)})};
  }
  const std::uint64_t down = memory.value - over;
  const bool is_up = rules.rounding == vendors::Rounding::up || down == 0;
  return {Bytes{is_up ? down + unit : down}, {}, {}};
}

Fitted fit_tier(Bytes memory, Bytes capacity, const vendors::SliceRules& rules) {
  if (memory > capacity) return {std::nullopt, {}, "not enough memory"};
  if (memory == capacity) return {};
  const auto& tiers = rules.memory_tiers;
  const auto end = std::lower_bound(tiers.begin(), tiers.end(), capacity);
  const auto tier = std::lower_bound(tiers.begin(), end, memory);
  if (rules.rounding == vendors::Rounding::exact && (tier == end || *tier != memory)) {
    std::vector<std::string> sizes;
    std::transform(tiers.begin(), end, std::back_inserter(sizes), [](Bytes size) { return to_text(size); });
    return {memory, {}, text::cat({"memory is given as ", text::join(sizes, ", "), " or all of it"})};
  }
  return tier == end ? Fitted{} : Fitted{*tier, {}, {}};
}

// The smallest of the vendor's templates that has what is asked for; the whole device when none has.
Fitted fit_template(std::optional<Bytes> memory, Percent cores, const DeviceUse& use,
                    const vendors::SliceRules& rules, const vendors::Device& device) {
  const vendors::SliceTemplate* best = nullptr;
  for (const auto& entry : rules.templates) {
    const bool fits = entry.memory >= memory.value_or(Bytes{}) && entry.cores >= cores &&
                      vendors::template_of(rules, device, entry.memory) != nullptr;
    if (fits && (best == nullptr || entry.memory < best->memory))
      best = vendors::template_of(rules, device, entry.memory);
  }
  if (best != nullptr) return {best->memory, best->cores, {}};
  return {std::nullopt, {}, memory && *memory > use.capacity ? "not enough memory" : ""};
}

// The template that the request names by its number.
Fitted fit_size(const Stated<std::uint32_t>& size, const vendors::SliceRules& rules,
                const vendors::Device& device) {
  std::vector<std::string> known;
  for (const auto& entry : rules.templates) {
    if (entry.size == 0 || vendors::template_of(rules, device, entry.memory) == nullptr) continue;
    if (entry.size == size.value) return {entry.memory, entry.cores, {}};
    known.push_back(text::number(entry.size));
  }
  return {std::nullopt, {}, text::cat({"its sizes are ", known.empty() ? "none" : text::join(known, ", ")})};
}

Fitted fit(Bytes memory, const DeviceUse& use, const vendors::SliceRules& rules) {
  if (!rules.memory_tiers.empty()) return fit_tier(memory, use.capacity, rules);
  return fit_unit(memory, rules);
}

}  // namespace

std::vector<DeviceUse> device_uses(const vendors::Recipe& recipe, const vendors::Inventory& inventory,
                                   const std::vector<state::Lease>& leases, const Policy& policy) {
  std::vector<DeviceUse> uses(inventory.devices.size());
  std::unordered_map<std::string, DeviceUse*> by_uuid;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    uses[i].capacity = policy.memory_scaling.of(inventory.devices[i].memory);
    uses[i].core_capacity = policy.core_scaling.of(Percent{100});
    uses[i].slots = recipe.slice.max_per_device == 0
                        ? policy.split_count
                        : std::min(policy.split_count, recipe.slice.max_per_device);
    uses[i].parts = vendors::core_steps_of(recipe.slice, inventory.devices[i]);
    by_uuid.emplace(inventory.devices[i].uuid, &uses[i]);
  }
  for (const state::Lease& lease : leases) {
    for (const state::Holding& holding : lease.holdings) {
      const auto it = holding.vendor == inventory.vendor ? by_uuid.find(holding.device) : by_uuid.end();
      if (it == by_uuid.end()) continue;
      DeviceUse& use = *it->second;
      use.memory.value = add_saturating(use.memory.value, holding.memory.value);
      use.cores.value = add_saturating(use.cores.value, holding.cores.value);
      use.containers = add_saturating(use.containers, 1U);
      use.exclusive = use.exclusive || holding.exclusive;
      if (holding.engine) use.by_engine = add_saturating(use.by_engine, 1U);
      use.mode = holding.mode;
      if (recipe.slice.equal_sizes) use.only_size = holding.memory;
      use.slots_taken.insert(holding.slot);
      use.held_parts |= holding.parts;
    }
  }
  return uses;
}

Parts free_parts(const DeviceUse& use, std::uint32_t count) {
  Parts taken;
  for (std::uint32_t i = 0; i < use.parts && count > 0; ++i) {
    if (use.held_parts.test(i)) continue;
    taken.set(i);
    --count;
  }
  return taken;
}

std::uint32_t free_slot(const DeviceUse& use) {
  std::uint32_t slot = 0;
  while (use.slots_taken.contains(slot)) ++slot;
  return slot;
}

Demand demand_on(const DeviceUse& use, const VendorRequest& request, std::uint32_t position, bool mutex,
                 const Policy& policy, const vendors::SliceRules& rules, const vendors::Device& device) {
  Demand demand;
  demand.exclusive = mutex;
  if (is_shared_whole(request, policy)) return demand;

  auto memory = named_memory(use, request, position, rules.memory_unit);
  auto cores = named_cores(request, position);
  if (request.core_parts && use.parts != 0)
    cores = percent_of_parts(*request.core_parts, use.parts, demand.problem);
  if (!cores && means_whole_device(request, memory.has_value(), policy)) cores = Percent{100};
  if (!memory && !request.memory_percent && policy.default_memory.value != 0) {
    memory = std::min(policy.default_memory, use.capacity);
  }
  const bool by_template =
      !rules.templates.empty() && (memory || (cores && cores->value < 100 && use.capacity.value != 0));
  if (memory || by_template || request.size) {
    const Fitted fitted = request.size  ? fit_size(*request.size, rules, device)
                          : by_template ? fit_template(memory, cores.value_or(Percent{}), use, rules, device)
                                        : fit(*memory, use, rules);
    demand.problem = fitted.problem;
    memory = fitted.memory;
    if (fitted.cores.value != 0) cores = fitted.cores;
    if (!memory) cores = Percent{100};
  }
  if (!cores) cores = policy.default_cores.value != 0 ? policy.default_cores : rules.default_cores;

  const bool overcommitted = policy.memory_scaling != Scaling{};
  demand.memory = memory.value_or(use.capacity);
  demand.cores = *cores;
  demand.exclusive = demand.exclusive || (cores->value == 100 && use.core_capacity.value <= 100) ||
                     (!named_cores(request, position) && cores->value == 100);
  if (memory || overcommitted) demand.memory_limit = demand.memory;
  if (cores->value < 100) demand.core_limit = *cores;
  if (use.parts != 0 && (demand.core_limit.value != 0 || demand.memory_limit.value != 0))
    demand.parts = std::max(1U, demand.cores.value * use.parts / 100);
  return demand;
}

Demand demand_on_whole(const DeviceUse& use, const VendorRequest& request, std::uint32_t position,
                       const vendors::Device& device) {
  Demand demand;
  const auto memory = named_memory(use, request, position, Bytes::mib(1));
  if (memory && device.memory.value != 0 && *memory > device.memory) demand.problem = "not enough memory";
  demand.memory = device.memory;
  demand.cores = Percent{100};
  demand.exclusive = true;
  return demand;
}

std::string lacks(const DeviceUse& use, const Demand& demand) {
  if (!demand.problem.empty()) return demand.problem;
  if (demand.by_engine && use.containers == use.by_engine) return {};
  if (use.by_engine != 0) return "an engine has given it to a container by itself";
  if (use.exclusive) return "another container has it alone";
  if (demand.exclusive && use.containers != 0) return "others are on it";
  if (use.containers != 0 && use.mode != demand.mode)
    return text::cat({"its containers have mode ", use.mode.empty() ? "hami-core" : use.mode});
  if (use.containers >= use.slots) return "no more containers";
  if (demand.memory.value != 0 && use.capacity.value == 0 && demand.memory_limit.value != 0)
    return "the size of its memory is not known";
  if (demand.memory.value > use.capacity.value || use.memory.value > use.capacity.value - demand.memory.value)
    return "not enough memory";
  if (demand.cores.value > use.core_capacity.value ||
      use.cores.value > use.core_capacity.value - demand.cores.value)
    return "not enough cores";
  if (use.only_size.value != 0 && use.only_size != demand.memory) return "its slices have another size";
  const auto parts = free_parts(use, demand.parts);
  if (parts.count() < demand.parts) return "not enough cores";
  if (demand.cores.value == 0 && use.cores.value >= use.core_capacity.value) return "no cores left";
  return {};
}

std::string describe_free(const DeviceUse& use) {
  if (use.by_engine > 1) return text::cat({"held whole by ", text::number(use.by_engine), " containers"});
  if (use.exclusive) return "held by one container alone";
  const Bytes memory{use.capacity.value - std::min(use.capacity.value, use.memory.value)};
  const std::uint32_t cores = use.core_capacity.value - std::min(use.core_capacity.value, use.cores.value);
  return text::cat({to_text(memory), " of ", to_text(use.capacity), " and ", text::number(cores),
                    "% of the cores free, ", text::number(use.containers), " of ", text::number(use.slots),
                    " containers"});
}

}  // namespace hami::shim
