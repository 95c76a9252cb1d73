// Limits of memory that the kernel holds: the cgroup controller dmem, for DRM drivers that account with it.
// Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "DMEM" (6.14).
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/renderer.h"

namespace hami::vendors {

namespace {

// The regions of this node that the pattern means; a '*' at its end stands for anything.
std::vector<std::string> regions(std::string_view capacities, std::string_view pattern) {
  const bool is_prefix = pattern.ends_with('*');
  if (is_prefix) pattern.remove_suffix(1);
  std::vector<std::string> found;
  for (const auto line : text::split(capacities, '\n')) {
    const auto region = line.substr(0, line.find(' '));
    const bool meant = is_prefix ? region.starts_with(pattern) : region == pattern;
    if (meant && region.size() < line.size()) found.emplace_back(region);
  }
  return found;
}

}  // namespace

// Only the root of cgroup v2 has the file, so on a node without the controller, or with cgroup v1, nothing is
// said and the kernel holds nothing.
Result<> Renderer::kernel_memory(const std::vector<const Slice*>& slices) {
  if (recipe_.slice.kernel_memory.empty()) return {};
  const auto capacities = files::read(inventory_.roots.at("sys") + "/fs/cgroup/dmem.capacity", kMaxHostText);
  if (!capacities) return {};
  std::vector<std::string> lines;
  bool all = true;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (slices[i]->memory.value == 0) continue;
    const Variables before = conditions_.variables;
    enter(*slices[i], i);
    auto pattern = expand(recipe_.slice.kernel_memory, conditions_.variables);
    conditions_.variables = before;
    if (!pattern) return fail(std::move(pattern).error());
    const auto found = regions(*capacities, *pattern);
    all = all && !found.empty();
    // A card with several regions, one per tile: together they have no more than the limit.
    for (const auto& region : found)
      lines.push_back(text::cat({region, " ", text::number(slices[i]->memory.value / found.size())}));
  }
  if (lines.empty()) return {};
  out_.edits.unified["dmem.max"] = text::join(lines, "\n");
  out_.kernel_holds_memory = all;
  return {};
}

}  // namespace hami::vendors
