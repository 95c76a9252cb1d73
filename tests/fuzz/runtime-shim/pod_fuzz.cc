// Reads arbitrary lines as the annotations ("key=value") and variables ("$name=value") of a Pod's container,
// and resolves what they ask for on a node with four devices.
#include <cstdint>
#include <string>
#include <string_view>

#include "oci-config/base/text.h"
#include "runtime-shim/pod/scheduled.h"
#include "tests/unit/runtime-shim/fixtures.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami;
  using namespace hami::shim;
  oci::ContainerView container = testing::in_pod(testing::annotated({}), "c");
  for (const auto line : text::split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    const std::string value(line.substr(equals + 1));
    if (line.front() == '$') {
      container.env.emplace_back(line.substr(1, equals - 1), value);
    } else {
      container.annotations[std::string(line.substr(0, equals))] = value;
    }
  }
  static const vendors::Recipe recipe = testing::recipe();
  static const VendorNode node{recipe, testing::inventory(4)};
  auto request = parse_request(container, {recipe}, Policy{});
  if (!request || !*request) return 0;
  for (VendorRequest& vendor : (*request)->vendors) {
    if (!vendor.scheduled) continue;
    auto resolution = resolve(*vendor.scheduled, node, {});
    if (!resolution) return 0;
    vendor.decided = std::move(resolution->decided);
  }
  const auto allocation =
      allocate(**request, std::vector<VendorNode>((*request)->vendors.size(), node), {}, Policy{});
  if (!allocation) return 0;
  for (const VendorAllocation& vendor : allocation->vendors) {
    for (const Grant& grant : vendor.grants) {
      if (grant.device >= node.inventory.devices.size()) __builtin_trap();
    }
  }
  return 0;
}
