#include "runtime-shim/ceilings.h"

#include <limits>

#include "oci-config/base/text.h"

namespace hami::shim {

namespace {

struct Sum {
  std::uint64_t count = 0;
  std::uint64_t memory = 0;  // bytes
  std::uint64_t cores = 0;   // percent of a device

  void add(const state::Holding& holding) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    ++count;
    memory = holding.memory.value > kMost - memory ? kMost : memory + holding.memory.value;
    cores += holding.cores.value;
  }
};

const Ceiling* ceiling_of(const Policy& policy, const std::string& pod_namespace) {
  for (const std::string& name : {pod_namespace, std::string(kEveryNamespace)}) {
    const auto found = policy.namespaces.find(name);
    if (found != policy.namespaces.end()) return &found->second;
  }
  return nullptr;
}

Result<> check(const std::string& pod_namespace, std::string_view what, std::uint64_t held,
               std::uint64_t asked, std::uint64_t most, std::string (*show)(std::uint64_t)) {
  if (held <= most && asked <= most - held) return {};
  return fail(
      Errc::exhausted,
      text::cat({"the container would hold ", show(asked), ", but namespace ", text::quote(pod_namespace),
                 " may hold ", show(most), " on this node and holds ", show(held)}),
      text::cat({"delete a container of that namespace, or raise ", what, " of its section in ",
                 "/etc/hami/config.toml"}));
}

std::string show_memory(std::uint64_t bytes) { return text::cat({to_text(Bytes{bytes}), " of memory"}); }
std::string show_cores(std::uint64_t percent) { return text::cat({text::number(percent), "% of cores"}); }
std::string show_count(std::uint64_t count) {
  return text::cat({text::number(count), count == 1 ? " device" : " devices"});
}

}  // namespace

Result<> check_ceiling(const Policy& policy, const std::string& pod_namespace, const Allocation& allocation,
                       const std::vector<state::Lease>& leases) {
  if (pod_namespace.empty() || policy.namespaces.empty()) return {};
  const Ceiling* ceiling = ceiling_of(policy, pod_namespace);
  if (ceiling == nullptr) return {};
  Sum asked;
  for (const VendorAllocation& vendor : allocation.vendors) {
    for (const Grant& grant : vendor.grants) asked.add(grant.holding);
  }
  Sum held;
  for (const state::Lease& lease : leases) {
    if (lease.pod_namespace != pod_namespace) continue;
    for (const state::Holding& holding : lease.holdings) held.add(holding);
  }
  if (ceiling->count)
    HAMI_CHECK(check(pod_namespace, "count", held.count, asked.count, *ceiling->count, show_count));
  if (ceiling->memory)
    HAMI_CHECK(
        check(pod_namespace, "memory", held.memory, asked.memory, ceiling->memory->value, show_memory));
  if (ceiling->cores)
    HAMI_CHECK(check(pod_namespace, "cores", held.cores, asked.cores, ceiling->cores->value, show_cores));
  return {};
}

}  // namespace hami::shim
