#include "runtime-shim/allocation.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "oci-config/base/text.h"
#include "runtime-shim/device_use.h"
#include "runtime-shim/request/values.h"
#include "runtime-shim/topology.h"

namespace hami::shim {

namespace {

using vendors::Device;
using vendors::Inventory;

bool names_device(const Inventory& inventory, const Names& names, const Device& device) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const Device* found = inventory.find(name);
    return found != nullptr && found->uuid == device.uuid;
  });
}

// HAMi's schedulers know a device's type as "<vendor>-<model>"; a part of it in any case is enough.
bool names_type(const Names& types, const Device& device) {
  const std::string type = text::lower(text::cat({device.vendor, "-", device.model}));
  return std::any_of(types.begin(), types.end(), [&](const std::string& wanted) {
    return type.find(text::lower(wanted)) != std::string::npos;
  });
}

bool lists_allow(const std::optional<Stated<Names>>& use, const std::optional<Stated<Names>>& nouse,
                 const Inventory& inventory, const Device& device) {
  if (use && !names_device(inventory, use->value, device)) return false;
  return !nouse || !names_device(inventory, nouse->value, device);
}

bool is_allowed(const VendorRequest& request, const Inventory& inventory, const Device& device) {
  if (request.model && request.model->value != device.model) return false;
  if (!lists_allow(request.use_uuid, request.nouse_uuid, inventory, device)) return false;
  const auto own = request.lists_of.find(device.model);
  if (own != request.lists_of.end() &&
      !lists_allow(own->second.use_uuid, own->second.nouse_uuid, inventory, device))
    return false;
  if (request.use_type && !names_type(request.use_type->value, device)) return false;
  return !request.nouse_type || !names_type(request.nouse_type->value, device);
}

std::string describe_device(const Device& device) {
  return text::cat({"device ", text::number(device.index), " (", device.uuid,
                    device.model.empty() ? "" : ", ", device.model, ")"});
}

std::size_t devices_named(const VendorRequest& request, const Inventory& inventory) {
  if (!request.selector) return request.count ? request.count->value : 0;
  const Selector& selector = request.selector->value;
  return selector.kind == Selector::Kind::all ? inventory.devices.size() : selector.names.size();
}

// The request as the vendor understands it: parts of several devices can mean whole ones.
VendorRequest understood(VendorRequest request, const VendorNode& node) {
  const bool is_whole = node.recipe.slice.several == vendors::SeveralDevices::whole;
  if (!is_whole || request.decided || !request.has_limit() || devices_named(request, node.inventory) < 2)
    return request;
  request.memory.reset();
  request.cores.reset();
  request.core_parts.reset();
  request.size.reset();
  request.memory_of.clear();
  request.cores_of.clear();
  request.memory_percent = {Percent{100}, request.origin()};
  return request;
}

// One vendor's placing.
class Placer {
 public:
  Placer(VendorRequest request, const VendorNode& node, const std::vector<state::Lease>& leases,
         const Policy& policy, Placement placement, bool mutex, std::optional<vendors::Mode> mode,
         std::string recorded_mode)
      : request_(understood(std::move(request), node)),
        node_(node),
        policy_(policy),
        placement_(placement),
        mutex_(mutex),
        mode_(mode),
        recorded_mode_(std::move(recorded_mode)),
        uses_(device_uses(node.recipe, node.inventory, leases, policy)) {}

  Result<VendorAllocation> place() {
    VendorAllocation allocation{request_.vendor, {}};
    if (request_.decided) return place_decided();
    HAMI_CHECK(check_cores());
    if (request_.selector && request_.selector->value.kind == Selector::Kind::none) return allocation;
    HAMI_TRY(auto chosen, choose());
    std::sort(chosen.begin(), chosen.end());
    for (std::uint32_t i = 0; i < chosen.size(); ++i) allocation.grants.push_back(grant(chosen[i], i));
    HAMI_CHECK(check_single(allocation));
    return allocation;
  }

 private:
  // Where only some modes divide the compute.
  Result<> check_cores() const {
    if (!node_.recipe.slice.refuses_cores || !request_.cores || gives_whole_devices()) return {};
    const auto& modes = node_.recipe.resources.mode;
    return fail(Errc::invalid_request,
                text::cat({request_.cores->origin, " asks for a part of the cores, which ", request_.vendor,
                           " devices give in mode hami-core only"}),
                text::cat({"remove it", modes.empty() ? "" : ", or add the annotation ",
                           modes.empty() ? "" : modes.front(), modes.empty() ? "" : ": hami-core"}));
  }

  Result<> check_single(const VendorAllocation& allocation) const {
    const bool has_slice = std::any_of(allocation.grants.begin(), allocation.grants.end(),
                                       [](const Grant& grant) { return grant.is_slice(); });
    const bool is_refused = node_.recipe.slice.several == vendors::SeveralDevices::refused;
    if (!is_refused || !has_slice || allocation.grants.size() < 2) return {};
    return fail(Errc::invalid_request,
                text::cat({request_.origin(), " asks for slices of ", text::number(allocation.grants.size()),
                           " ", request_.vendor, " devices, but a container can have a slice of one only"}),
                "ask for one device, or for whole ones");
  }

  [[nodiscard]] const std::vector<Device>& devices() const { return node_.inventory.devices; }

  [[nodiscard]] Demand demand(std::size_t device, std::uint32_t position) const {
    Demand demand = gives_whole_devices()
                        ? demand_on_whole(uses_[device], request_, position, devices()[device])
                        : demand_on(uses_[device], request_, position, mutex_, policy_, node_.recipe.slice,
                                    devices()[device]);
    demand.mode = recorded_mode_;
    demand.by_engine = request_.by_engine;
    return demand;
  }

  [[nodiscard]] bool gives_whole_devices() const {
    return request_.by_engine || mode_ == vendors::Mode::mig || mode_ == vendors::Mode::none;
  }

  // Partitions are for one mode, and only for that.
  [[nodiscard]] bool serves_mode(const Device& device) const {
    return !mode_ || (*mode_ == vendors::Mode::mig) == !device.parent.empty();
  }

  [[nodiscard]] bool may_have(const Device& device) const {
    return serves_mode(device) && is_allowed(request_, node_.inventory, device);
  }

  // Somebody else chose: each device must be here. Whether it has room matters only where nobody counted.
  Result<VendorAllocation> place_decided() {
    VendorAllocation allocation{request_.vendor, {}};
    for (const Given& given : request_.decided->devices) {
      const Device* device = node_.inventory.find(given.device);
      if (device == nullptr) return unknown_device(given.device, request_.origin());
      const auto position = static_cast<std::size_t>(device - devices().data());
      if (!serves_mode(*device)) {
        return fail(Errc::invalid_request,
                    text::cat({request_.modes->origin, " asks for mode ", to_text(*mode_), ", but ",
                               request_.origin(), " gives ", describe_device(*device), ", which is ",
                               device->parent.empty() ? "no partition" : "a partition"}),
                    "let both say the same");
      }
      const Demand taken = given_demand(given, *device, uses_[position].parts);
      if (!request_.decided->binding && !lacks(uses_[position], taken).empty())
        return exhausted(request_.decided->devices.size(), {position});
      allocation.grants.push_back(grant_of(position, taken));
    }
    std::sort(allocation.grants.begin(), allocation.grants.end(),
              [](const Grant& a, const Grant& b) { return a.device < b.device; });
    for (std::size_t i = 1; i < allocation.grants.size(); ++i) {
      if (allocation.grants[i - 1].device == allocation.grants[i].device)
        return twice(devices()[allocation.grants[i].device]);
    }
    return allocation;
  }

  [[nodiscard]] Demand given_demand(const Given& given, const Device& device, std::uint32_t parts) const {
    Demand demand;
    demand.mode = recorded_mode_;
    demand.memory = given.memory.value_or(device.memory);
    demand.cores = given.cores;
    // All of the card needs no limit; more than it has is overcommitted and needs one.
    const bool all = device.memory.value != 0 && demand.memory.whole_mib() == device.memory.whole_mib();
    if (given.memory && !all) demand.memory_limit = demand.memory;
    if (given.cores.value < 100) demand.core_limit = given.cores;
    if (gives_whole_devices()) demand.memory_limit = {};
    if (gives_whole_devices()) demand.core_limit = {};
    const bool is_slice = demand.memory_limit.value != 0 || demand.core_limit.value != 0;
    if (parts != 0 && is_slice) demand.parts = std::max(1U, given.cores.value * parts / 100);
    demand.exclusive = given.cores.value >= 100 || (!given.memory && !request_.decided->binding);
    return demand;
  }

  [[nodiscard]] tl::unexpected<Error> twice(const Device& device) const {
    return fail(Errc::invalid_request,
                text::cat({request_.origin(), " names ", describe_device(device), " twice"}),
                "a container gets different devices");
  }

  Result<std::vector<std::size_t>> choose() {
    if (request_.selector) return choose_selected();
    std::vector<std::size_t> allowed;
    for (std::size_t i = 0; i < devices().size(); ++i) {
      if (may_have(devices()[i])) allowed.push_back(i);
    }
    HAMI_TRY(const auto count, number_of_devices());
    auto chosen = is_numa_bound(count) ? choose_on_one_node(allowed, count) : choose_among(allowed, count);
    if (chosen.size() < count) return exhausted(count, allowed);
    return chosen;
  }

  [[nodiscard]] std::vector<std::size_t> choose_among(const std::vector<std::size_t>& allowed,
                                                      std::size_t count) const {
    return has_own_limits() ? choose_in_order(allowed, count) : choose_by_rank(allowed, count);
  }

  [[nodiscard]] bool is_numa_bound(std::size_t count) const {
    return count > 1 && request_.numa_bind && request_.numa_bind->value;
  }

  // Of the NUMA nodes that can give all the devices, the one whose first device the policy likes best. A
  // machine that does not say has one.
  [[nodiscard]] std::vector<std::size_t> choose_on_one_node(const std::vector<std::size_t>& allowed,
                                                            std::size_t count) const {
    std::map<int, std::vector<std::size_t>> nodes;
    for (const std::size_t device : allowed) nodes[devices()[device].numa_node].push_back(device);
    std::vector<std::size_t> best;
    for (const auto& [node, members] : nodes) {
      auto chosen = choose_among(members, count);
      if (chosen.size() == count && (best.empty() || is_liked_more(chosen.front(), best.front())))
        best = std::move(chosen);
    }
    return best;
  }

  // How many neighbours of one module are given together: see ModelResources::group. A part of one device is
  // not a module's.
  [[nodiscard]] std::uint32_t group() const {
    const auto& models = node_.recipe.resources.models;
    const auto of_model =
        std::find_if(models.begin(), models.end(), [&](const vendors::ModelResources& entry) {
          return request_.model && entry.model == request_.model->value;
        });
    return of_model == models.end() || request_.has_limit() ? 1 : of_model->group;
  }

  Result<std::size_t> number_of_devices() const {
    const std::size_t count = request_.count ? request_.count->value : 0;
    if (count == 1) return group();
    if (count % group() == 0) return count;
    return fail(Errc::invalid_request,
                text::cat({request_.origin(), " asks for ", text::number(count), " ", request_.model->value,
                           " devices, which are given in groups of ", text::number(group())}),
                text::cat({"ask for a multiple of ", text::number(group())}));
  }

  // Those of `fitting`, in its order, whose module can give all its devices.
  [[nodiscard]] std::vector<std::size_t> whole_modules(const std::vector<std::size_t>& fitting) const {
    const auto module_of = [this](std::size_t device) { return devices()[device].index / group(); };
    std::map<std::uint32_t, std::vector<std::size_t>> modules;
    for (const std::size_t device : fitting) modules[module_of(device)].push_back(device);
    std::vector<std::size_t> out;
    for (const std::size_t device : fitting) {
      auto& members = modules[module_of(device)];
      if (members.size() == group()) out.insert(out.end(), members.begin(), members.end());
      members.clear();
    }
    return out;
  }

  [[nodiscard]] bool has_own_limits() const {
    return !request_.memory_of.empty() || !request_.cores_of.empty();
  }

  // The devices the request names, each of which must have room.
  Result<std::vector<std::size_t>> choose_selected() {
    std::vector<std::size_t> chosen;
    HAMI_TRY(chosen, selected());
    HAMI_CHECK(check_numa_binding(chosen));
    for (std::uint32_t i = 0; i < chosen.size(); ++i) {
      if (!may_have(devices()[chosen[i]]) || !lacks(uses_[chosen[i]], demand(chosen[i], i)).empty())
        return exhausted(chosen.size(), chosen);
    }
    return chosen;
  }

  Result<> check_numa_binding(const std::vector<std::size_t>& chosen) const {
    if (!is_numa_bound(chosen.size())) return {};
    for (const std::size_t device : chosen) {
      if (devices()[device].numa_node == devices()[chosen.front()].numa_node) continue;
      return disagreement(request_.selector->origin, request_.numa_bind->origin, "devices of one NUMA node");
    }
    return {};
  }

  Result<std::vector<std::size_t>> selected() {
    std::vector<std::size_t> chosen;
    if (request_.selector->value.kind == Selector::Kind::all) {
      for (std::size_t i = 0; i < devices().size(); ++i) chosen.push_back(i);
      return chosen;
    }
    for (const std::string& name : request_.selector->value.names) {
      const Device* device = node_.inventory.find(name);
      if (device == nullptr) return unknown_device(name, request_.selector->origin);
      chosen.push_back(static_cast<std::size_t>(device - devices().data()));
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    return chosen;
  }

  // Limits belong to positions, and positions follow the order of the devices: the first device with room
  // takes the first position, and so on. No other choice can fit when this one does not.
  [[nodiscard]] std::vector<std::size_t> choose_in_order(const std::vector<std::size_t>& allowed,
                                                         std::size_t count) const {
    std::vector<std::size_t> chosen;
    for (const std::size_t device : allowed) {
      if (chosen.size() == count) break;
      const auto position = static_cast<std::uint32_t>(chosen.size());
      if (lacks(uses_[device], demand(device, position)).empty()) chosen.push_back(device);
    }
    return chosen;
  }

  [[nodiscard]] std::vector<std::size_t> choose_by_rank(const std::vector<std::size_t>& allowed,
                                                        std::size_t count) const {
    std::vector<std::size_t> fitting;
    for (const std::size_t device : allowed) {
      if (lacks(uses_[device], demand(device, 0)).empty()) fitting.push_back(device);
    }
    std::stable_sort(fitting.begin(), fitting.end(),
                     [&](std::size_t a, std::size_t b) { return is_liked_more(a, b); });
    // Of partitions the smallest that is large enough.
    if (mode_ == vendors::Mode::mig) {
      std::stable_sort(fitting.begin(), fitting.end(), [&](std::size_t a, std::size_t b) {
        return devices()[a].memory < devices()[b].memory;
      });
    }
    if (group() > 1) fitting = whole_modules(fitting);
    if (count > 1 && group() == 1 && mode_ != vendors::Mode::mig)
      fitting = near_each_other(std::move(fitting), count);
    if (fitting.size() > count) fitting.resize(count);
    return fitting;
  }

  // Of devices that the policy likes equally, those near each other; with `numa`, of all that have room.
  [[nodiscard]] std::vector<std::size_t> near_each_other(std::vector<std::size_t> fitting,
                                                         std::size_t count) const {
    if (fitting.size() <= count) return fitting;
    if (placement_ == Placement::numa) fitting = on_one_numa_node(std::move(fitting), count);
    std::size_t better = 0;
    if (placement_ != Placement::numa) {
      const auto ranks_as_last = [&](std::size_t device) { return rank(device) == rank(fitting[count - 1]); };
      const auto first = std::find_if(fitting.begin(), fitting.end(), ranks_as_last);
      better = static_cast<std::size_t>(first - fitting.begin());
      fitting.erase(std::find_if_not(first, fitting.end(), ranks_as_last), fitting.end());
    }
    return nearest(node_.recipe, devices(), fitting, better, count);
  }

  // By share of the memory held, then by share of the cores, then by containers.
  [[nodiscard]] std::tuple<double, std::uint32_t, std::uint32_t> rank(std::size_t device) const {
    const DeviceUse& use = uses_[device];
    const double capacity = static_cast<double>(std::max<std::uint64_t>(use.capacity.value, 1));
    return {static_cast<double>(use.memory.value) / capacity, use.cores.value, use.containers};
  }

  [[nodiscard]] bool is_liked_more(std::size_t a, std::size_t b) const {
    return placement_ == Placement::spread ? rank(b) > rank(a) : rank(a) > rank(b);
  }

  // The devices of the first NUMA node, in rank order, that can give all of them; else all devices.
  [[nodiscard]] std::vector<std::size_t> on_one_numa_node(std::vector<std::size_t> fitting,
                                                          std::size_t count) const {
    std::map<int, std::size_t> per_node;
    for (const std::size_t device : fitting) ++per_node[devices()[device].numa_node];
    for (const std::size_t device : fitting) {
      const int node = devices()[device].numa_node;
      if (node < 0 || per_node[node] < count) continue;
      std::erase_if(fitting, [&](std::size_t other) { return devices()[other].numa_node != node; });
      break;
    }
    return fitting;
  }

  [[nodiscard]] Grant grant(std::size_t device, std::uint32_t position) const {
    return grant_of(device, demand(device, position));
  }

  [[nodiscard]] Grant grant_of(std::size_t device, const Demand& taken) const {
    Grant out;
    out.device = device;
    out.uuid = devices()[device].uuid;
    out.memory_limit = taken.memory_limit;
    out.core_limit = taken.core_limit;
    out.mode = mode_;
    out.holding = {request_.vendor, out.uuid,  taken.memory, taken.cores, taken.exclusive, 0, {},
                   taken.by_engine, taken.mode};
    if (node_.recipe.slice.mechanism == vendors::SliceMechanism::vendor && out.is_slice()) {
      out.holding.slot = free_slot(uses_[device]);
      out.holding.parts = free_parts(uses_[device], taken.parts);
    }
    return out;
  }

  [[nodiscard]] std::string amounts_asked() const {
    std::vector<std::string> parts;
    if (request_.memory) parts.push_back(text::cat({to_text(request_.memory->value), " of memory"}));
    if (!request_.memory && request_.memory_percent) {
      parts.push_back(text::cat({text::number(request_.memory_percent->value.value), "% of the memory"}));
    }
    if (request_.cores)
      parts.push_back(text::cat({text::number(request_.cores->value.value), "% of the cores"}));
    if (has_own_limits()) parts.emplace_back("limits of their own");
    if (mode_) parts.push_back(text::cat({"mode ", to_text(*mode_)}));
    return parts.empty() ? "" : text::cat({" with ", text::join(parts, " and ")});
  }

  [[nodiscard]] std::string free_devices(const std::vector<std::size_t>& allowed) const {
    constexpr std::size_t kMost = 16;
    std::vector<std::string> parts;
    for (const std::size_t i : allowed) {
      if (parts.size() == kMost) break;
      const bool is_said = uses_[i].exclusive || uses_[i].by_engine > 1;
      const std::string why = is_said ? "" : lacks(uses_[i], demand(i, 0));
      parts.push_back(text::cat(
          {describe_device(devices()[i]), ": ", describe_free(uses_[i]), why.empty() ? "" : ", but ", why}));
    }
    if (allowed.size() > kMost)
      parts.push_back(text::cat({text::number(allowed.size() - kMost), " more devices"}));
    return text::join(parts, "; ");
  }

  [[nodiscard]] tl::unexpected<Error> exhausted(std::size_t count,
                                                const std::vector<std::size_t>& allowed) const {
    const std::string asked = text::cat({request_.origin(), " asks for ", text::number(count), " ",
                                         request_.vendor, count == 1 ? " device" : " devices",
                                         is_numa_bound(count) ? " of one NUMA node" : "", amounts_asked()});
    if (allowed.empty()) return none_allowed(asked);
    return fail(Errc::exhausted, text::cat({asked, ", but this node has ", free_devices(allowed)}),
                "ask for less, or delete a container that holds a device");
  }

  [[nodiscard]] tl::unexpected<Error> none_allowed(const std::string& asked) const {
    const auto is_of_model = [&](const Device& device) { return device.model == request_.model->value; };
    if (request_.model && std::none_of(devices().begin(), devices().end(), is_of_model)) {
      return fail(
          Errc::exhausted,
          text::cat({asked, " of model ", request_.model->value, ", but this node has ", devices_here()}),
          "ask for a model that is here");
    }
    return fail(Errc::exhausted,
                text::cat({asked, ", but of what this node has none is of an allowed model and uuid",
                           mode_ == vendors::Mode::mig ? ", and a partition: " : ": ", devices_here()}),
                "change the lists of allowed and denied devices");
  }

  [[nodiscard]] std::string devices_here() const {
    constexpr std::size_t kMost = 16;
    std::vector<std::string> here;
    for (std::size_t i = 0; i < std::min(devices().size(), kMost); ++i)
      here.push_back(describe_device(devices()[i]));
    if (devices().size() > kMost)
      here.push_back(text::cat({text::number(devices().size() - kMost), " more devices"}));
    return here.empty() ? "no device" : text::join(here, ", ");
  }

  [[nodiscard]] tl::unexpected<Error> unknown_device(const std::string& name,
                                                     const std::string& origin) const {
    return fail(Errc::not_found,
                text::cat({origin, " names ", text::quote(name), ", but this node has ", devices_here()}),
                "name one of these");
  }

  const VendorRequest request_;
  const VendorNode& node_;
  const Policy& policy_;
  Placement placement_;
  bool mutex_;
  std::optional<vendors::Mode> mode_;
  std::string recorded_mode_;  // as leases have it
  std::vector<DeviceUse> uses_;
};

}  // namespace

VendorNode in_mode(VendorNode node, vendors::Mode mode) {
  const auto rules = node.recipe.modes.find(std::string(to_text(mode)));
  if (rules != node.recipe.modes.end()) node.recipe.slice = rules->second;
  return node;
}

namespace {

// The first of the modes in which there is room; the answer when there is none is the first mode's.
Result<VendorAllocation> place_vendor(const Request& request, const VendorRequest& vendor,
                                      const VendorNode& node, const std::vector<state::Lease>& leases,
                                      const Policy& policy) {
  const Placement placement = request.placement ? request.placement->value : policy.placement;
  if (!vendor.modes)
    return Placer(vendor, node, leases, policy, placement, request.exclusive, {}, {}).place();
  std::optional<Error> refused;
  for (const vendors::Mode mode : vendor.modes->value) {
    const VendorNode chosen = in_mode(node, mode);
    std::string recorded = node.recipe.is_usual(mode) ? std::string() : std::string(to_text(mode));
    auto placed =
        Placer(vendor, chosen, leases, policy, placement, request.exclusive, mode, std::move(recorded))
            .place();
    if (placed) return placed;
    if (!refused) refused = std::move(placed).error();
  }
  return fail(*std::move(refused));
}

}  // namespace

Result<Allocation> allocate(const Request& request, const std::vector<VendorNode>& node,
                            const std::vector<state::Lease>& leases, const Policy& policy) {
  Allocation allocation;
  for (std::size_t i = 0; i < request.vendors.size(); ++i) {
    HAMI_TRY(auto vendor, place_vendor(request, request.vendors[i], node[i], leases, policy));
    allocation.vendors.push_back(std::move(vendor));
  }
  return allocation;
}

}  // namespace hami::shim
