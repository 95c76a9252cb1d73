// Device nodes: what the container gets has the numbers of the host's node, and those must be the driver's.
#include <sys/sysmacros.h>

#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/renderer.h"
#include "vendors/values.h"

namespace hami::vendors {

std::optional<std::string> Renderer::wrong_numbers(const DeviceNodeRule& rule, const HostFile& node,
                                                   const std::string& minor) const {
  if (!S_ISCHR(node.info.st_mode)) return "is not a character device";
  const auto node_major = major(node.info.st_rdev);
  const auto node_minor = minor(node.info.st_rdev);
  const bool known =
      std::any_of(rule.verify.drivers.begin(), rule.verify.drivers.end(), [&](const std::string& driver) {
        const auto [first, last] = majors_.equal_range(driver);
        return std::any_of(first, last, [&](const auto& entry) { return entry.second == node_major; });
      });
  if (!known && !(rule.verify.kernel_name && has_kernel_name(node))) {
    const std::string numbers = text::cat({text::number(node_major), ":", text::number(node_minor)});
    if (rule.verify.kernel_name)
      return text::cat({"has the numbers ", numbers, ", which the kernel does not know by this name"});
    return text::cat({"has major ", text::number(node_major), ", which is not that of ",
                      text::join(rule.verify.drivers, " or "), " in /proc/devices"});
  }
  if (!minor.empty() && text::parse_u64(minor) != node_minor)
    return text::cat({"has minor ", text::number(node_minor), " instead of ", minor});
  return std::nullopt;
}

// The kernel's own name of the node's numbers, relative to /dev, is the node's path.
bool Renderer::has_kernel_name(const HostFile& node) const {
  const auto uevent =
      files::read(text::cat({inventory_.roots.at("sys"), "/dev/char/", text::number(major(node.info.st_rdev)),
                             ":", text::number(minor(node.info.st_rdev)), "/uevent"}),
                  kMaxHostText);
  if (!uevent) return false;
  const auto name = text_after("\n" + *uevent, "\nDEVNAME=");
  return name && text::cat({"/dev/", *name}) == node.path;
}

Result<> Renderer::device_node(const DeviceNodeRule& rule) {
  HAMI_TRY(const auto path, expand(rule.path, conditions_.variables));
  if (path.find('*') != std::string::npos) {
    for (const auto& node : dev_.matching(path)) HAMI_CHECK(one_node(rule, node, {node}));
    return {};
  }
  if (rule.host.empty()) return one_node(rule, path, {path});
  std::vector<std::string> hosts;
  for (const auto& host : rule.host) {
    HAMI_TRY(auto name, expand(host, conditions_.variables));
    hosts.push_back(std::move(name));
  }
  return one_node(rule, path, hosts);
}

Result<> Renderer::needs_node(const Block& block, std::size_t before) {
  if (!block.needs_node || out_.edits.devices.size() > before) return {};
  std::vector<std::string> looked_for;
  std::string hint;
  for (const auto& rule : block.device_nodes) {
    const auto path = expand(rule.path, conditions_.variables);
    if (path) looked_for.push_back(text::quote(*path));
    if (hint.empty()) hint = rule.hint;
  }
  return fail(Errc::not_found,
              text::cat({"find a device node: none of ", text::join(looked_for, ", "),
                         " is usable in the root ", text::quote(dev_.directory())}),
              hint.empty() ? "check that the vendor's driver is loaded" : hint);
}

Result<> Renderer::one_node(const DeviceNodeRule& rule, const std::string& path,
                            const std::vector<std::string>& hosts) {
  HAMI_TRY(const auto minor_text, expand(rule.verify.minor, conditions_.variables));
  const Need need = rule.required ? Need::required : Need::optional;
  std::optional<HostFile> node;
  for (const auto& host : hosts) {
    if (!node) node = dev_.find(host, HostDir::Links::refuse_last);
  }
  if (!node) {
    return missing(need,
                   text::cat({"find device node ", text::quote(hosts.front()), ": not in the root ",
                              text::quote(dev_.directory())}),
                   rule.hint);
  }
  if (const auto wrong = wrong_numbers(rule, *node, minor_text))
    return missing(need, text::cat({"check device node ", text::quote(node->host_path), ": it ", *wrong}),
                   rule.hint);

  oci::DeviceEdit edit;
  edit.path = path;
  edit.major = major(node->info.st_rdev);
  edit.minor = minor(node->info.st_rdev);
  edit.file_mode = node->info.st_mode & 0777U;
  edit.access = rule.access;
  // A node that not everybody may open belongs to a group; the container's processes join it.
  const bool for_everybody = (node->info.st_mode & 06U) == 06U;
  if (node->info.st_gid != 0) {
    edit.gid = node->info.st_gid;
    auto& gids = out_.edits.additional_gids;
    if (!for_everybody && std::find(gids.begin(), gids.end(), node->info.st_gid) == gids.end())
      gids.push_back(node->info.st_gid);
  }
  auto& devices = out_.edits.devices;
  if (std::find(devices.begin(), devices.end(), edit) == devices.end()) devices.push_back(std::move(edit));
  return {};
}

}  // namespace hami::vendors
