#include <algorithm>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "vendors/cdi_spec.h"

namespace hami::vendors {

namespace {

// What is in `edits` and not in `common`.
template <typename T>
std::vector<T> beyond(const std::vector<T>& edits, const std::vector<T>& common) {
  std::vector<T> out;
  for (const auto& edit : edits) {
    if (std::find(common.begin(), common.end(), edit) == common.end()) out.push_back(edit);
  }
  return out;
}

oci::ContainerEdits beyond(const oci::ContainerEdits& edits, const oci::ContainerEdits& common) {
  oci::ContainerEdits out;
  out.devices = beyond(edits.devices, common.devices);
  out.mounts = beyond(edits.mounts, common.mounts);
  out.env = beyond(edits.env, common.env);
  out.additional_gids = beyond(edits.additional_gids, common.additional_gids);
  return out;
}

std::string list(std::string_view key, const std::vector<std::string>& items) {
  return items.empty() ? "" : text::cat({"\"", key, "\": [", text::join(items, ", "), "]"});
}

std::string number(std::int64_t value) { return text::number(static_cast<std::uint64_t>(value)); }

std::string to_json(const oci::DeviceEdit& device) {
  std::string out = text::cat(
      {"{\"path\": ", json_string(device.path), ", \"type\": \"c\", \"major\": ", number(device.major),
       ", \"minor\": ", number(device.minor), ", \"fileMode\": ", text::number(device.file_mode),
       ", \"permissions\": ", json_string(device.access)});
  if (device.gid) out += text::cat({", \"gid\": ", text::number(*device.gid)});
  return out + "}";
}

std::string to_json(const oci::Mount& mount) {
  std::vector<std::string> options;
  for (const auto& option : mount.options) options.push_back(json_string(option));
  return text::cat({"{\"hostPath\": ", json_string(mount.source), ", \"containerPath\": ",
                    json_string(mount.destination), ", ", list("options", options), "}"});
}

std::string hook_json(const CdiHookPaths& hook) {
  return text::cat({R"("hooks": [{"hookName": "createContainer", "path": )", json_string(hook.program),
                    R"(, "args": ["hami-hook", "create-container", "--plan", )", json_string(hook.plan),
                    R"(], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}])"});
}

// Members of a containerEdits object. What CDI cannot say (a variable to unset) is left out.
std::string members(const oci::ContainerEdits& edits, const std::string& hooks) {
  std::vector<std::string> nodes;
  std::vector<std::string> mounts;
  std::vector<std::string> env;
  std::vector<std::string> gids;
  for (const auto& device : edits.devices) nodes.push_back(to_json(device));
  for (const auto& mount : edits.mounts) mounts.push_back(to_json(mount));
  for (const auto& variable : edits.env) {
    if (variable.op != oci::EnvEdit::Op::unset)
      env.push_back(json_string(text::cat({variable.name, "=", variable.value})));
  }
  for (const auto gid : edits.additional_gids) gids.push_back(text::number(gid));
  std::vector<std::string> parts;
  for (auto part : {list("deviceNodes", nodes), list("mounts", mounts), list("env", env),
                    list("additionalGids", gids), hooks}) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return text::cat({"{", text::join(parts, ",\n      "), "}"});
}

bool is_device_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && is_letter(name.front()) && is_letter(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || c == '_' || c == '.' || c == '-' || c == ':'; });
}

std::string device_json(const std::string& name, const oci::ContainerEdits& edits) {
  return text::cat({"    {\"name\": ", json_string(name), ", \"containerEdits\": ", members(edits, ""), "}"});
}

// Digits of versions are single ones, so that they compare as texts.
constexpr std::string_view kFirstWithNumbers = "0.5.0";  // names of devices that begin with a digit
constexpr std::string_view kFirstWithDots = "0.6.0";     // in the class
constexpr std::string_view kFirstWithGroups = "0.7.0";   // additionalGids

std::string_view lowest_version(std::string_view kind) {
  return kind.find('.', kind.find('/')) == std::string_view::npos ? kFirstWithNumbers : kFirstWithDots;
}

Result<std::string> choose_version(const CdiFormat& format, std::string_view kind, bool has_groups) {
  const std::string_view lowest = lowest_version(kind);
  if (format.version.empty()) return std::string(has_groups ? kFirstWithGroups : lowest);
  const auto known = cdi_versions();
  const bool is_known = std::find(known.begin(), known.end(), format.version) != known.end();
  if (is_known && format.version >= lowest) return format.version;
  return fail(Errc::invalid_request,
              text::cat({"CDI version ", text::quote(format.version, 40),
                         is_known ? " cannot name these devices" : " is unknown"}),
              text::cat({"use one from ", lowest, " to ", known.back()}));
}

// The edits as the version can say them.
oci::ContainerEdits sayable(oci::ContainerEdits edits, std::string_view version) {
  if (version < kFirstWithGroups) edits.additional_gids.clear();
  return edits;
}

}  // namespace

Result<CdiExport> export_cdi(const Recipe& recipe, const Inventory& inventory, const CdiHookPaths& hook,
                             const CdiFormat& format) {
  const ContainerFacts facts;
  const std::string kind = format.kind.empty()
                               ? text::cat({recipe.metadata.vendor, "/", recipe.metadata.device_class})
                               : format.kind;
  std::vector<Slice> every(inventory.devices.size());
  for (std::size_t i = 0; i < every.size(); ++i) {
    every[i].device_index = static_cast<std::uint32_t>(i);
    every[i].whole = true;
  }
  HAMI_TRY(const auto all, render(recipe, inventory, every, {}, facts));
  HAMI_TRY(const auto none, render(recipe, inventory, {}, {}, facts));
  CdiExport out;
  out.plan = all.plan;
  HAMI_TRY(out.version, choose_version(format, kind, !all.edits.additional_gids.empty()));
  if (out.version < kFirstWithGroups) out.left_out_gids = all.edits.additional_gids;
  const auto common = sayable(none.edits, out.version);
  std::vector<std::string> devices;
  for (const Slice& slice : every) {
    const Device& device = inventory.devices[slice.device_index];
    HAMI_TRY(const auto one, render(recipe, inventory, {slice}, {}, facts));
    const auto edits = beyond(sayable(one.edits, out.version), common);
    devices.push_back(device_json(text::number(device.index), edits));
    if (is_device_name(device.uuid)) devices.push_back(device_json(device.uuid, edits));
  }
  devices.push_back(device_json("all", beyond(sayable(all.edits, out.version), common)));
  const std::string hooks = out.plan.empty() ? std::string{} : hook_json(hook);
  out.json =
      text::cat({"{\n  \"cdiVersion\": ", json_string(out.version), ",\n  \"kind\": ", json_string(kind),
                 ",\n  \"devices\": [\n", text::join(devices, ",\n"),
                 "\n  ],\n  \"containerEdits\": ", members(common, hooks), "\n}\n"});
  return out;
}

}  // namespace hami::vendors
