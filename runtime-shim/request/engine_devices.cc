#include "runtime-shim/request/engine_devices.h"

#include <algorithm>
#include <array>

#include "vendors/device_nodes.h"

namespace hami::shim {

namespace {

// Below /dev in containers that were given nothing, or nothing of an accelerator.
constexpr std::array<std::string_view, 20> kUsual{
    "console", "core", "fd",  "full",   "fuse", "hugepages", "kmsg",  "kvm",    "mqueue",  "net",
    "null",    "ptmx", "pts", "random", "shm",  "stderr",    "stdin", "stdout", "urandom", "zero"};
constexpr std::string_view kDirectory = "/dev/";

bool is_usual(std::string_view rest) {
  const std::string_view name = rest.substr(0, rest.find_first_of("\"/\\,:; "));
  return name.starts_with("tty") || std::find(kUsual.begin(), kUsual.end(), name) != kUsual.end();
}

bool has_node(const oci::ContainerView& container, const std::vector<oci::DeviceEdit>& more,
              const oci::DeviceEdit& node) {
  const auto is_it = [&](const auto& other) {
    return other.major == node.major && other.minor == node.minor;
  };
  return std::any_of(container.devices.begin(), container.devices.end(), is_it) ||
         std::any_of(more.begin(), more.end(), is_it);
}

}  // namespace

bool may_have_device(std::string_view text) {
  for (auto at = text.find(kDirectory); at != std::string_view::npos; at = text.find(kDirectory, at + 1)) {
    if (!is_usual(text.substr(at + kDirectory.size()))) return true;
  }
  // Some writers of JSON put a backslash before each slash.
  return text.find("\\/dev\\/") != std::string_view::npos;
}

bool counts_engine_devices(const oci::ContainerView& container, const Policy& policy) {
  return policy.engine_devices == EngineDevices::count && !container.privileged && !container.is_sandbox();
}

Result<std::vector<std::string>> devices_given(const oci::ContainerView& container,
                                               const std::vector<oci::DeviceEdit>& more,
                                               const vendors::Recipe& recipe,
                                               const vendors::Inventory& inventory) {
  HAMI_TRY(const auto nodes, vendors::own_nodes(recipe, inventory));
  std::vector<const vendors::Device*> given;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool is_here =
        !nodes[i].empty() && std::all_of(nodes[i].begin(), nodes[i].end(), [&](const oci::DeviceEdit& node) {
          return has_node(container, more, node);
        });
    if (is_here) given.push_back(&inventory.devices[i]);
  }
  std::vector<std::string> uuids;
  for (const vendors::Device* device : given) {
    const bool is_whole = std::none_of(given.begin(), given.end(), [&](const vendors::Device* other) {
      return other->parent == device->uuid;
    });
    if (is_whole) uuids.push_back(device->uuid);
  }
  return uuids;
}

}  // namespace hami::shim
