// Device nodes: what the container gets has the numbers of the host's node, and those must be the driver's.
#include <sys/sysmacros.h>

#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/renderer.h"

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
  if (!known) {
    return text::cat({"has major ", text::number(node_major), ", which is not that of ",
                      text::join(rule.verify.drivers, " or "), " in /proc/devices"});
  }
  if (!minor.empty() && text::parse_u64(minor) != node_minor)
    return text::cat({"has minor ", text::number(node_minor), " instead of ", minor});
  return std::nullopt;
}

Result<> Renderer::device_node(const DeviceNodeRule& rule) {
  HAMI_TRY(const auto path, expand(rule.path, conditions_.variables));
  HAMI_TRY(const auto minor_text, expand(rule.verify.minor, conditions_.variables));
  const Need need = rule.required ? Need::required : Need::optional;
  const auto node = dev_.find(path, HostDir::Links::refuse_last);
  if (!node) {
    return missing(need,
                   text::cat({"find device node ", text::quote(path), ": not in the root ",
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
