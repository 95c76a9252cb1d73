#include "runtime-shim/topology.h"

#include <algorithm>
#include <limits>

namespace hami::shim {

namespace {

using vendors::Device;

// Steps of distance; links count down from kLinked, so that more of them are nearer.
constexpr std::uint32_t kLinked = 20;
constexpr std::uint32_t kRing = 20;
constexpr std::uint32_t kSwitch = 30;
constexpr std::uint32_t kBridge = 40;
constexpr std::uint32_t kNode = 50;
constexpr std::uint32_t kFar = 60;

// Links of `a` that lead to `b`, or to a switch that `b` is linked to as well.
std::size_t links_between(const Device& a, const Device& b) {
  return static_cast<std::size_t>(std::count_if(a.links.begin(), a.links.end(), [&](const std::string& end) {
    return end == b.pci_bus_id || std::find(b.links.begin(), b.links.end(), end) != b.links.end();
  }));
}

std::uint32_t ring_of(const vendors::Recipe& recipe, const Device& device) {
  for (const vendors::ModelResources& model : recipe.resources.models) {
    if (model.model == device.model && model.ring != 0) return model.ring;
  }
  return 0;
}

bool is_one_ring(const vendors::Recipe& recipe, const Device& a, const Device& b) {
  const std::uint32_t ring = ring_of(recipe, a);
  return ring != 0 && ring == ring_of(recipe, b) && a.index / ring == b.index / ring;
}

// Components that the paths of two devices begin with: the host bridge is the first, then come bridges.
std::size_t common_bridges(const Device& a, const Device& b) {
  const auto end = std::mismatch(a.pci_path.begin(), a.pci_path.end(), b.pci_path.begin(), b.pci_path.end());
  return static_cast<std::size_t>(end.first - a.pci_path.begin());
}

std::uint64_t sum_to(const vendors::Recipe& recipe, const std::vector<Device>& devices,
                     const std::vector<std::size_t>& chosen, std::size_t other) {
  std::uint64_t sum = 0;
  for (const std::size_t device : chosen) sum += distance(recipe, devices[device], devices[other]);
  return sum;
}

struct Set {
  std::vector<std::size_t> members;
  std::uint64_t sum = 0;  // of all distances
};

// Adds, one by one, the candidate nearest to what is there.
Set grown(const vendors::Recipe& recipe, const std::vector<Device>& devices, std::vector<std::size_t> left,
          Set set, std::size_t count) {
  while (set.members.size() < count && !left.empty()) {
    auto best = left.begin();
    std::uint64_t best_sum = std::numeric_limits<std::uint64_t>::max();
    for (auto it = left.begin(); it != left.end(); ++it) {
      const std::uint64_t sum = sum_to(recipe, devices, set.members, *it);
      if (sum >= best_sum) continue;
      best = it;
      best_sum = sum;
    }
    set.members.push_back(*best);
    set.sum += best_sum;
    left.erase(best);
  }
  return set;
}

}  // namespace

std::uint32_t distance(const vendors::Recipe& recipe, const Device& a, const Device& b) {
  const std::size_t links = links_between(a, b);
  if (links != 0) return kLinked - static_cast<std::uint32_t>(std::min<std::size_t>(links, kLinked));
  if (is_one_ring(recipe, a, b)) return kRing;
  const std::size_t bridges = common_bridges(a, b);
  if (bridges > 1) return kSwitch;
  if (bridges == 1) return kBridge;
  return a.numa_node >= 0 && a.numa_node == b.numa_node ? kNode : kFar;
}

std::vector<std::size_t> nearest(const vendors::Recipe& recipe, const std::vector<Device>& devices,
                                 const std::vector<std::size_t>& candidates, std::size_t fixed,
                                 std::size_t count) {
  if (candidates.size() <= count) return candidates;
  const auto begin = candidates.begin();
  const auto free = begin + static_cast<std::ptrdiff_t>(std::min(fixed, count));
  if (free != begin) {
    Set set{{begin, free}, 0};
    return grown(recipe, devices, {free, candidates.end()}, std::move(set), count).members;
  }
  Set best;
  for (auto seed = begin; seed != candidates.end(); ++seed) {
    std::vector<std::size_t> left = candidates;
    left.erase(left.begin() + (seed - begin));
    Set set = grown(recipe, devices, std::move(left), {{*seed}, 0}, count);
    if (best.members.empty() || set.sum < best.sum) best = std::move(set);
  }
  return best.members;
}

}  // namespace hami::shim
