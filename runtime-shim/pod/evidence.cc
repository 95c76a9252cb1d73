#include "runtime-shim/pod/evidence.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "libvgpu/abi/slice.h"
#include "oci-config/base/text.h"
#include "oci-config/base/units.h"
#include "runtime-shim/pod/pod.h"
#include "runtime-shim/schedulers/companions.h"
#include "runtime-shim/schedulers/dra.h"

namespace hami::shim {

namespace {

using schedulers::Evidence;

// Prefix of the annotations with which a device plugin names CDI devices.
constexpr std::string_view kCdiAnnotation = "cdi.k8s.io/";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Every value of a variable, in the order in which they stand there.
std::vector<std::string_view> values_of(const oci::ContainerView& container, std::string_view name) {
  std::vector<std::string_view> out;
  for (const auto& [variable, value] : container.env) {
    if (variable == name) out.push_back(value);
  }
  return out;
}

bool names_devices(std::string_view value, const vendors::Recipe& recipe) {
  return !value.empty() && value != "all" && value != "none" && value != "void" &&
         value != recipe.request.mount_marker;
}

std::vector<std::string> parse_devices(std::string_view value, const vendors::Recipe& recipe) {
  std::vector<std::string> out;
  const char separator = recipe.request.separator.empty() ? ',' : recipe.request.separator.front();
  for (const std::string_view part : text::split(value, separator)) {
    if (!text::trim(part).empty()) out.emplace_back(text::trim(part));
  }
  return out;
}

using DeviceLists = std::vector<std::vector<std::string>>;

// Devices a plugin marks by mounts: it says so once and cannot be overridden by a variable.
std::vector<std::string> marked(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  std::vector<std::string> out;
  if (recipe.request.mount_marker.empty()) return out;
  const std::string prefix = recipe.request.mount_marker + "/";
  for (const oci::Mount& mount : container.mounts) {
    if (mount.source == "/dev/null" && starts_with(mount.destination, prefix))
      out.push_back(mount.destination.substr(prefix.size()));
  }
  return out;
}

// "k8s.device-plugin.nvidia.com/gpu=GPU-a": the vendor of the kind is the recipe's, or a part of its domain.
bool is_kind_of(std::string_view kind, const vendors::Recipe& recipe) {
  const std::string_view vendor = kind.substr(0, kind.find('/'));
  const std::string& own = recipe.metadata.vendor;
  if (own.empty() || vendor.size() < own.size()) return false;
  if (vendor.substr(vendor.size() - own.size()) != own) return false;
  return vendor.size() == own.size() || vendor[vendor.size() - own.size() - 1] == '.';
}

// A name that a driver of resource claims made has the card's number. "": its instance of the card is known
// by its nodes alone, as the name has what the driver calls a placement. nullopt: another name.
std::optional<std::string> claimed_card(std::string_view name, const vendors::Recipe& recipe) {
  if (recipe.metadata.name != "nvidia") return std::nullopt;
  const auto names = schedulers::parse_cdi_names(name);
  if (!names) return std::nullopt;
  const auto device = schedulers::parse_dra_device(names->front());
  if (!device || !*device) return std::nullopt;
  if ((*device)->mig || (*device)->kind == schedulers::DraDevice::Kind::vfio) return "";
  return text::number((*device)->minor);
}

std::vector<std::string> cdi_devices(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  std::vector<std::string> out;
  for (const auto& [key, value] : container.annotations) {
    if (!starts_with(key, kCdiAnnotation)) continue;
    for (const std::string_view name : text::split(value, ',')) {
      if (auto card = claimed_card(text::trim(name), recipe)) {
        if (!card->empty()) out.push_back(*std::move(card));
        continue;
      }
      const auto equals = name.find('=');
      if (equals == std::string_view::npos || !is_kind_of(text::trim(name.substr(0, equals)), recipe))
        continue;
      out.emplace_back(text::trim(name.substr(equals + 1)));
    }
  }
  return out;
}

DeviceLists device_layers(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  if (auto devices = marked(container, recipe); !devices.empty()) return {std::move(devices)};
  if (auto devices = cdi_devices(container, recipe); !devices.empty()) return {std::move(devices)};
  for (const std::string& name : recipe.request.env) {
    DeviceLists layers;
    for (const std::string_view value : values_of(container, name)) {
      if (names_devices(value, recipe)) layers.push_back(parse_devices(value, recipe));
    }
    if (!layers.empty()) return layers;
  }
  return {};
}

// MiB in each layer; a value that is no amount, or none at all ("0"), says nothing.
std::vector<std::uint64_t> memory_layers(const oci::ContainerView& container, const std::string& name) {
  std::vector<std::uint64_t> out;
  for (const std::string_view value : values_of(container, name)) {
    const auto bytes = parse_bytes(value);
    if (bytes && bytes->value != 0) out.push_back(bytes->whole_mib());
  }
  return out;
}

std::vector<std::uint32_t> core_layers(const oci::ContainerView& container, const std::string& name) {
  std::vector<std::uint32_t> out;
  for (const std::string_view value : values_of(container, name)) {
    const auto number = text::parse_u64(value);
    if (number && *number <= 100) out.push_back(static_cast<std::uint32_t>(*number));
  }
  return out;
}

// The path of a device's node: "/dev/nvidia${dev.minor}" is a text, a field of the device, and a text.
struct NodePath {
  std::string_view before;
  std::string_view field;
  std::string_view after;

  // The value the field has in this path; empty when it is another node's.
  [[nodiscard]] std::string_view value_in(std::string_view path) const {
    if (path.size() <= before.size() + after.size() || !starts_with(path, before)) return {};
    if (path.substr(path.size() - after.size()) != after) return {};
    const std::string_view value = path.substr(before.size(), path.size() - before.size() - after.size());
    const bool digits = std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? value : std::string_view{};
  }
};

// Of every node that only one device has. Templates with several variables are left out.
std::vector<NodePath> node_paths(const vendors::Recipe& recipe) {
  constexpr std::string_view kOpen = "${dev.";
  std::vector<NodePath> out;
  for (const vendors::Block& block : recipe.inject) {
    if (block.for_each != vendors::ForEach::device) continue;
    for (const vendors::DeviceNodeRule& rule : block.device_nodes) {
      const std::string_view path = rule.path;
      const auto open = path.find(kOpen);
      const auto close = path.find('}', open);
      if (open == std::string_view::npos || close == std::string_view::npos) continue;
      const NodePath found{path.substr(0, open),
                           path.substr(open + kOpen.size(), close - open - kOpen.size()),
                           path.substr(close + 1)};
      const bool simple = found.before.find('$') == std::string_view::npos &&
                          found.after.find_first_of("$*") == std::string_view::npos;
      if (simple) out.push_back(found);
    }
  }
  return out;
}

std::vector<std::string> device_nodes(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  std::vector<std::string> out;
  if (container.privileged || container.device_paths.empty()) return out;
  const auto paths = node_paths(recipe);
  std::copy_if(container.device_paths.begin(), container.device_paths.end(), std::back_inserter(out),
               [&](const std::string& node) {
                 return std::any_of(paths.begin(), paths.end(),
                                    [&](const NodePath& path) { return !path.value_in(node).empty(); });
               });
  return out;
}

std::string value_of(const vendors::Device& device, const NodePath& path) {
  const auto field = device.fields.find(std::string(path.field));
  if (field != device.fields.end()) return field->second;
  return path.field == "index" ? text::number(device.index) : std::string();
}

// By one of its nodes; a partition by all of them, as its card's node is not its own.
bool is_shown(const vendors::Device& device, const std::vector<std::string>& nodes,
              const std::vector<NodePath>& paths) {
  std::size_t own = 0;
  std::size_t shown = 0;
  for (const NodePath& path : paths) {
    const std::string value = value_of(device, path);
    if (value.empty()) continue;
    ++own;
    const bool is_there = std::any_of(nodes.begin(), nodes.end(),
                                      [&](const std::string& node) { return path.value_in(node) == value; });
    shown += is_there ? 1 : 0;
  }
  return shown != 0 && (device.parent.empty() || shown == own);
}

// Enflame's is the only annotation that has containers by their names.
bool is_assigned(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  const auto value = container.annotation("assigned-containers");
  if (!value || recipe.metadata.name != "enflame") return false;
  const auto containers = schedulers::parse_assigned_containers(*value);
  return containers && containers->contains(pod_of(container).container);
}

// The values that a container shows, each with its layers.
struct Shown {
  DeviceLists devices;
  std::vector<std::vector<std::uint64_t>> memory;  // of the i-th device
  std::vector<std::uint64_t> memory_of_all;
  std::vector<std::uint32_t> cores;
  std::vector<std::vector<std::uint32_t>> cores_each;  // of the i-th device
  std::vector<std::string> nodes;
  bool is_named = false;  // an annotation names this container as one with devices

  [[nodiscard]] std::size_t layers() const {
    std::size_t most = std::max({devices.size(), memory_of_all.size(), cores.size()});
    if (!nodes.empty() || is_named) most = std::max<std::size_t>(most, 1);
    for (const auto& values : memory) most = std::max(most, values.size());
    for (const auto& values : cores_each) most = std::max(most, values.size());
    return most;
  }
};

template <typename T>
std::optional<T> in_layer(const std::vector<T>& values, std::size_t layer) {
  if (values.empty()) return std::nullopt;
  return values[std::min(layer, values.size() - 1)];
}

// Of the i-th device, up to the last one that "<name>_<i>" says something of.
template <typename T>
std::vector<std::vector<T>> layers_each(const oci::ContainerView& container, const std::string& name,
                                        std::vector<T> (*layers)(const oci::ContainerView&,
                                                                 const std::string&)) {
  std::vector<std::vector<T>> out;
  for (std::uint32_t i = 0; i < abi::kMaxDevices; ++i)
    out.push_back(layers(container, text::cat({name, "_", text::number(i)})));
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

Shown shown_by(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  Shown shown;
  shown.devices = device_layers(container, recipe);
  const vendors::LimitVariables& names = recipe.resources.limit_env;
  if (!names.memory.empty()) {
    shown.memory_of_all = memory_layers(container, names.memory);
    shown.memory = layers_each(container, names.memory, memory_layers);
  }
  if (!names.cores.empty()) {
    shown.cores = core_layers(container, names.cores);
    shown.cores_each = layers_each(container, names.cores, core_layers);
  }
  shown.nodes = device_nodes(container, recipe);
  shown.is_named = is_assigned(container, recipe);
  return shown;
}

Evidence evidence_in(const Shown& shown, std::size_t layer) {
  Evidence out;
  out.devices = in_layer(shown.devices, layer).value_or(std::vector<std::string>{});
  for (const auto& values : shown.memory) out.memory.push_back(in_layer(values, layer));
  if (const auto all = in_layer(shown.memory_of_all, layer); all && out.memory.empty()) {
    out.memory.assign(std::max<std::size_t>(out.devices.size(), 1), all);
  }
  out.cores = in_layer(shown.cores, layer);
  for (const auto& values : shown.cores_each) out.cores_each.push_back(in_layer(values, layer));
  if (!out.cores && !out.cores_each.empty()) out.cores = out.cores_each.front();
  out.nodes = shown.nodes;
  if (shown.is_named && out.empty()) out.count = 1;
  return out;
}

}  // namespace

std::vector<Evidence> evidence_of(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  const Shown shown = shown_by(container, recipe);
  std::vector<Evidence> out;
  for (std::size_t layer = 0; layer < shown.layers(); ++layer) out.push_back(evidence_in(shown, layer));
  return out;
}

Evidence with_named_nodes(Evidence evidence, const vendors::Recipe& recipe,
                          const vendors::Inventory& inventory) {
  if (!evidence.devices.empty() || evidence.nodes.empty()) return evidence;
  const auto paths = node_paths(recipe);
  for (const vendors::Device& device : inventory.devices) {
    if (is_shown(device, evidence.nodes, paths)) evidence.devices.push_back(device.uuid);
  }
  return evidence;
}

bool names_devices_by_uuid(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  const auto is_name = [](const std::string& device) {
    return device.size() > 4 && device.find_first_not_of("0123456789-:") != std::string::npos;
  };
  const auto layers = evidence_of(container, recipe);
  return std::any_of(layers.begin(), layers.end(), [&](const Evidence& evidence) {
    return !evidence.devices.empty() &&
           std::all_of(evidence.devices.begin(), evidence.devices.end(), is_name);
  });
}

bool has_active_selector(const oci::ContainerView& container, const vendors::Recipe& recipe) {
  return std::any_of(recipe.request.env.begin(), recipe.request.env.end(), [&](const std::string& name) {
    const auto value = container.env_value(name);
    return value && !value->empty() && *value != "void" && *value != "none";
  });
}

}  // namespace hami::shim
