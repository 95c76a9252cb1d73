#include "vendors/discovery.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/device_probe.h"
#include "vendors/node.h"
#include "vendors/values.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxDevices = 256;

// Fields that are members of Device. Without a prefix, as in the recipe.
std::string field(const Device& device, const std::string& name) {
  const auto found = device.fields.find(name);
  return found == device.fields.end() ? std::string{} : found->second;
}

Variables with_fields(const Variables& node, const std::map<std::string, std::string>& fields) {
  Variables all = node;
  for (const auto& [name, value] : fields) all["dev." + name] = value;
  return all;
}

Result<Device> read_device(const Recipe& recipe, const Variables& node, const LibraryIndex& libraries,
                           const std::string& captured, TextFiles& texts) {
  Device device;
  device.vendor = recipe.metadata.name;
  device.fields[recipe.devices.field] = captured;
  const Variables known = with_fields(node, device.fields);
  for (const auto& [name, variable] : recipe.devices.fields) {
    HAMI_TRY(auto value, read_variable(variable, known, libraries, texts));
    if (value) {
      device.fields[name] = std::move(*value);
    } else if (!variable.optional) {
      return fail(Errc::not_found,
                  text::cat({"device ", text::quote(captured), ": its ", name, " is not known"}));
    }
  }
  return device;
}

// Directory and name pattern of a host path with or without '*' in its last component.
struct Pattern {
  std::string directory;
  std::string before;
  std::string after;
  bool has_star = true;

  // What '*' stands for in `name`, without one the name itself; empty when the name does not match.
  [[nodiscard]] std::string captured(const std::string& name) const {
    if (!has_star) return name == before ? name : std::string{};
    const bool fits =
        name.size() > before.size() + after.size() && name.starts_with(before) && name.ends_with(after);
    return fits ? name.substr(before.size(), name.size() - before.size() - after.size()) : std::string{};
  }
};

Result<Pattern> pattern_of(const std::string& text, const Variables& known) {
  const auto slash = text.rfind('/');
  const auto star = text.find('*', slash);
  HAMI_TRY(auto directory, expand(text.substr(0, slash), known));
  if (star == std::string::npos) return Pattern{std::move(directory), text.substr(slash + 1), {}, false};
  return Pattern{std::move(directory), text.substr(slash + 1, star - slash - 1), text.substr(star + 1), true};
}

// The devices of one listing, without those the recipe excludes.
Result<> list_in(const Listing& listing, const Recipe& recipe, const Variables& node,
                 const LibraryIndex& libraries, TextFiles& texts, std::vector<Device>& devices) {
  const auto& table = recipe.devices;
  HAMI_TRY(const Pattern pattern, pattern_of(listing.path, node));
  const auto dir = HostDir::open(pattern.directory);
  if (!dir) return {};
  for (const auto& name : dir->list("/")) {
    const auto captured = pattern.captured(name);
    // "card0-HDMI-A-1" is not a card: names that are not of the field's type are something else.
    const auto value = typed_value(table.field_type, captured);
    if (!value || *value != captured) continue;
    if (!listing.pci.vendor.empty() &&
        !is_pci_function(listing.pci, text::cat({pattern.directory, "/", name}), texts))
      continue;
    if (devices.size() == kMaxDevices) return fail(Errc::io, "list devices: too many");
    HAMI_TRY(auto device, read_device(recipe, node, libraries, captured, texts));
    const ConditionFacts facts{{}, {}, false, with_fields(node, device.fields)};
    if (table.exclude.program.empty() || !holds(table.exclude, facts)) devices.push_back(std::move(device));
  }
  return {};
}

// Every device the recipe's patterns find, without those it excludes.
Result<std::vector<Device>> list_devices(const Recipe& recipe, const Variables& node,
                                         const LibraryIndex& libraries, TextFiles& texts) {
  std::vector<Device> devices;
  HAMI_CHECK(list_in({recipe.devices.each, recipe.devices.pci}, recipe, node, libraries, texts, devices));
  for (const auto& listing : recipe.devices.also)
    HAMI_CHECK(list_in(listing, recipe, node, libraries, texts, devices));
  return devices;
}

bool is_about(const ProbedDevice& answer, const std::string& join, const std::string& value) {
  if (join == "bdf") return normal_bdf(value) == answer.bdf;
  if (join == "uuid") return value == answer.uuid;
  return answer.number && text::parse_u64(value) == *answer.number;  // the number of its device node
}

// What the library says wins over what files say: a UUID is "GPU-????" in /proc until the device was opened.
void add_answers(const Recipe& recipe, const std::vector<ProbedDevice>& answers,
                 std::vector<Device>& devices) {
  const auto& join = recipe.devices.probe.join;
  for (auto& device : devices) {
    for (const auto& answer : answers) {
      const bool sole = join.empty() && answers.size() == 1 && devices.size() == 1;
      if (!sole && !is_about(answer, join, field(device, join))) continue;
      if (!answer.uuid.empty()) device.fields["uuid"] = answer.uuid;
      if (!answer.model.empty()) device.fields["model"] = answer.model;
      device.memory = answer.memory;
      device.links = answer.links;
    }
  }
}

void fill_members(const Recipe& recipe, std::vector<Device>& devices) {
  for (auto& device : devices) {
    device.uuid = field(device, recipe.devices.key);
    device.model = field(device, "model");
    device.pci_bus_id = normal_bdf(field(device, "bdf"));
    if (const auto bytes = text::parse_u64(field(device, "memory")); bytes && device.memory.value == 0)
      device.memory.value = *bytes;
    const auto numa = text::parse_u64(field(device, "numa"));  // "-1" says none
    if (numa && *numa < 4096) device.numa_node = static_cast<int>(*numa);
  }
}

// Where each PCI device hangs: sysfs has a link "../../../devices/pci0000:00/0000:00:01.0/0000:3b:00.0" for
// it.
void add_pci_paths(const std::string& sys, std::vector<Device>& devices) {
  for (auto& device : devices) {
    if (device.pci_bus_id.empty()) continue;
    std::string target(4096, '\0');
    const std::string path = text::cat({sys, "/bus/pci/devices/", device.pci_bus_id});
    const auto length = ::readlink(path.c_str(), target.data(), target.size());
    if (length <= 0) continue;
    target.resize(static_cast<std::size_t>(length));
    const auto bridges = target.find("/pci");
    if (bridges == std::string::npos) continue;
    for (const auto part : text::split(std::string_view(target).substr(bridges + 1), '/'))
      device.pci_path.emplace_back(part);
    device.pci_path.pop_back();  // the device itself
  }
}

void sort_and_number(const Recipe& recipe, std::vector<Device>& devices) {
  const auto& order = recipe.devices.order.empty() ? recipe.devices.field : recipe.devices.order;
  const auto key = [&](const Device& device) {
    const std::string value = field(device, order);
    const auto number = text::parse_u64(value);
    return std::pair(number.value_or(0), normal_bdf(value));
  };
  std::sort(devices.begin(), devices.end(),
            [&](const Device& a, const Device& b) { return key(a) < key(b); });
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto number = text::parse_u64(field(devices[i], recipe.devices.number));
    devices[i].index = static_cast<std::uint32_t>(number.value_or(i));
  }
}

Result<> add_aliases(const Recipe& recipe, const Variables& node, std::vector<Device>& devices) {
  for (auto& device : devices) {
    Variables known = with_fields(node, device.fields);
    known["dev.index"] = text::number(device.index);
    known["dev.uuid"] = device.uuid;
    for (const auto& alias : recipe.devices.aliases) {
      auto name = expand(alias, known);
      if (name) device.aliases.push_back(std::move(*name));  // one that needs an absent field is left out
    }
  }
  return {};
}

Result<Device> read_instance(const InstanceTable& table, const Device& parent, Variables known,
                             std::size_t position, const LibraryIndex& libraries, TextFiles& texts) {
  Device instance = parent;
  instance.parent = parent.uuid;
  instance.memory = {};
  instance.aliases.clear();
  known["dev.index"] = text::number(parent.index);
  known["dev.uuid"] = parent.uuid;
  known["dev.position"] = text::number(position);
  for (const auto* name : {&table.first, &table.second}) {
    if (!name->empty()) instance.fields[*name] = known["dev." + *name];
  }
  for (const auto& [name, variable] : table.fields) {
    HAMI_TRY(auto value, read_variable(variable, known, libraries, texts));
    if (!value && !variable.optional)
      return fail(Errc::not_found, text::cat({"a part of device ", text::quote(parent.uuid), ": its ", name,
                                              " is not known"}));
    if (value) known["dev." + name] = instance.fields[name] = std::move(*value);
  }
  if (const auto bytes = text::parse_u64(field(instance, "instance_memory"))) instance.memory.value = *bytes;
  HAMI_TRY(instance.uuid, expand(table.uuid, known));
  for (const auto& alias : table.aliases) {
    auto name = expand(alias, known);
    if (name) instance.aliases.push_back(std::move(*name));
  }
  return instance;
}

// Directories that match `each` up to its first '*', with what that stands for; the rest is added to them.
Result<std::vector<std::pair<std::string, std::string>>> matches(const std::string& each,
                                                                 const Variables& known) {
  const auto star = each.find('*');
  const auto end = each.find('/', star);
  HAMI_TRY(const Pattern pattern, pattern_of(each.substr(0, end), known));
  const std::string rest = end == std::string::npos ? std::string{} : each.substr(end);
  std::vector<std::pair<std::string, std::string>> found;
  const auto dir = HostDir::open(pattern.directory);
  if (!dir) return found;
  for (const auto& name : dir->list("/")) {
    const auto captured = pattern.captured(name);
    if (typed_value(ValueType::number, captured) == captured)
      found.emplace_back(text::cat({pattern.directory, "/", name, rest}), captured);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return text::parse_u64(a.second).value_or(0) < text::parse_u64(b.second).value_or(0);
  });
  return found;
}

// What stands for `first` and `second` in each partition of a device, beside the device's own variables.
Result<std::vector<Variables>> list_parts(const InstanceTable& table, Variables known) {
  std::vector<Variables> found;
  if (table.each.empty()) return found;
  HAMI_TRY(const auto firsts, matches(table.each, known));
  for (const auto& [path, first] : firsts) {
    known["dev." + table.first] = first;
    if (table.second.empty()) {
      found.push_back(known);
      continue;
    }
    HAMI_TRY(const auto seconds, matches(path, {}));
    for (const auto& [below, second] : seconds) {
      known["dev." + table.second] = second;
      found.push_back(known);
    }
  }
  return found;
}

// The library's own identity of a partition wins over the name that the recipe makes up; both are understood.
void add_answer(const InstanceTable& table, const std::vector<ProbedPart>& parts, Device& instance) {
  const auto first = text::parse_u64(field(instance, table.first));
  const auto second = text::parse_u64(field(instance, table.second));
  for (const auto& part : parts) {
    if (first != std::uint64_t{part.first} || second != std::uint64_t{part.second}) continue;
    instance.aliases.push_back(std::exchange(instance.uuid, part.uuid));
    if (instance.memory.value == 0) instance.memory = part.memory;
  }
}

const ProbedDevice* answer_about(const Recipe& recipe, const std::vector<ProbedDevice>& answers,
                                 const Device& device) {
  const auto& join = recipe.devices.probe.join;
  const auto found = std::find_if(answers.begin(), answers.end(), [&](const ProbedDevice& answer) {
    return is_about(answer, join, field(device, join));
  });
  return found == answers.end() ? nullptr : &*found;
}

// A partitioned device gives way to its partitions; the others keep their index.
Result<> divide(const Recipe& recipe, const Variables& node, const LibraryIndex& libraries, TextFiles& texts,
                const std::vector<ProbedDevice>& answers, std::vector<Device>& devices) {
  const auto& table = recipe.devices.instances;
  if (table.each.empty()) return {};
  std::vector<Device> whole;
  std::vector<Device> parts;
  for (auto& device : devices) {
    HAMI_TRY(auto found, list_parts(table, with_fields(node, device.fields)));
    const ProbedDevice* answer = answer_about(recipe, answers, device);
    for (std::size_t i = 0; i < found.size(); ++i) {
      HAMI_TRY(auto part, read_instance(table, device, std::move(found[i]), i, libraries, texts));
      if (answer != nullptr) add_answer(table, answer->parts, part);
      parts.push_back(std::move(part));
    }
    if (found.empty()) whole.push_back(std::move(device));
  }
  std::uint32_t next = 0;
  for (const auto& device : devices) next = std::max(next, device.index + 1);
  for (auto& part : parts) {
    part.index = next++;
    whole.push_back(std::move(part));
  }
  devices = std::move(whole);
  return {};
}

Result<> check_identities(const Recipe& recipe, const std::vector<Device>& devices) {
  std::set<std::string> seen;
  for (const auto& device : devices) {
    const std::string where = text::quote(field(device, recipe.devices.field));
    if (device.uuid.empty()) {
      return fail(
          Errc::not_found,
          text::cat({recipe.metadata.name, " device ", where, ": its ", recipe.devices.key, " is not known"}),
          "check that the driver works and that the vendor's library is installed");
    }
    if (!seen.insert(device.uuid).second) {
      return fail(Errc::io, text::cat({recipe.metadata.name, " device ", where, ": another one has the same ",
                                       recipe.devices.key, " ", text::quote(device.uuid)}));
    }
  }
  return {};
}

// What the library's answer depends on, as far as files tell.
Result<std::string> facts_of(const Recipe& recipe, const Variables& node,
                             const std::vector<Device>& devices) {
  const auto& table = recipe.devices.instances;
  std::string facts;
  for (const auto& [name, value] : node) facts += text::cat({name, "=", value, "\n"});
  for (const auto& device : devices) {
    for (const auto& [name, value] : device.fields) facts += text::cat({name, "=", value, "\n"});
    HAMI_TRY(auto parts, list_parts(table, with_fields(node, device.fields)));
    for (auto& part : parts)
      facts += text::cat({"part=", part["dev." + table.first], "/", part["dev." + table.second], "\n"});
  }
  return facts;
}

}  // namespace

bool is_here(const Recipe& recipe, const HostRoots& roots) {
  const auto resolved = resolve_roots(recipe, roots);
  if (!resolved) return false;
  return !recipe.detect || is_detected(*recipe.detect, node_variables(*resolved)).value_or(false);
}

std::set<std::string> left_out(const std::vector<Recipe>& recipes, const HostRoots& roots) {
  std::set<std::string> names;
  for (const Recipe& recipe : recipes) {
    if (recipe.metadata.instead_of.empty()) continue;
    names.insert(is_here(recipe, roots) ? recipe.metadata.instead_of : recipe.metadata.name);
  }
  return names;
}

Result<Inventory> discover(const Recipe& recipe, const HostRoots& roots) {
  const std::string doing = text::cat({"find ", recipe.metadata.name, " devices"});
  Inventory inventory;
  inventory.vendor = recipe.metadata.name;
  auto resolved = resolve_roots(recipe, roots);
  if (!resolved) return fail(std::move(resolved).error().within(doing));
  inventory.roots = std::move(*resolved);
  Variables node = node_variables(inventory.roots);

  if (recipe.detect) {
    HAMI_TRY(const bool here, is_detected(*recipe.detect, node));
    if (!here) {
      return fail(Errc::not_found,
                  text::cat({doing, ": this node has none; looked for ", describe(*recipe.detect)}),
                  "load the vendor's kernel driver");
    }
  }
  HAMI_TRY(const HostDir driver, HostDir::open(inventory.roots.at("driver")));
  HAMI_TRY(const LibraryIndex libraries, library_index(recipe, driver, node));
  TextFiles texts;
  for (const auto& [name, variable] : recipe.vars) {
    HAMI_TRY(auto value, read_variable(variable, node, libraries, texts));
    if (!value && !variable.optional)
      return fail(Errc::not_found, text::cat({doing, ": ", name, " is not known"}),
                  "check that the driver is loaded");
    if (value) inventory.vars[name] = *value;
  }
  node.insert(inventory.vars.begin(), inventory.vars.end());
  for (const char* name : {"host.arch", "host.triplet", "host.kernel"}) inventory.vars[name] = node[name];

  auto devices = list_devices(recipe, node, libraries, texts);
  if (!devices) return fail(std::move(devices).error().within(doing));
  if (devices->empty()) {
    return fail(Errc::not_found,
                text::cat({doing, ": the driver is there, but no device: nothing matches ",
                           expand(recipe.devices.each, node).value_or(recipe.devices.each)}));
  }
  HAMI_TRY(const auto facts, facts_of(recipe, node, *devices));
  auto answers = probe_devices(recipe, roots, libraries, facts);
  if (!answers) return fail(std::move(answers).error().within(doing));
  add_answers(recipe, *answers, *devices);
  fill_members(recipe, *devices);
  add_pci_paths(roots.sys, *devices);
  sort_and_number(recipe, *devices);
  HAMI_CHECK(add_aliases(recipe, node, *devices));
  HAMI_CHECK(divide(recipe, node, libraries, texts, *answers, *devices));
  HAMI_CHECK(check_identities(recipe, *devices));
  inventory.devices = std::move(*devices);
  return inventory;
}

}  // namespace hami::vendors
