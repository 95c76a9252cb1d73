#include "vendors/slice_variables.h"

#include "oci-config/base/text.h"

namespace hami::vendors {

std::vector<std::uint32_t> parts_of(const Slice& slice) {
  std::vector<std::uint32_t> parts;
  for (std::uint32_t i = 0; i < 128; ++i) {
    const std::uint64_t word = i < 64 ? slice.parts_low : slice.parts_high;
    if (((word >> (i % 64)) & 1U) != 0) parts.push_back(i);
  }
  return parts;
}

std::string listed(const std::vector<std::uint32_t>& parts, std::uint32_t base) {
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < parts.size();) {
    std::size_t end = i;
    while (end + 1 < parts.size() && parts[end + 1] == parts[end] + 1) ++end;
    runs.push_back(i == end
                       ? text::number(base + parts[i])
                       : text::cat({text::number(base + parts[i]), "-", text::number(base + parts[end])}));
    i = end + 1;
  }
  return text::join(runs, ",");
}

void add_slice_variables(Variables& variables, const SliceRules& rules, const Device& device,
                         const Slice& slice, std::size_t ordinal) {
  for (const auto& [name, value] : device.fields) variables["dev." + name] = value;
  variables["dev.index"] = text::number(device.index);
  variables["dev.ordinal"] = text::number(ordinal);
  variables["dev.uuid"] = device.uuid;
  variables["dev.model"] = device.model;
  variables["dev.memory_mib"] = text::number(device.memory.whole_mib());
  variables["slice.memory_bytes"] = text::number(slice.memory.value);
  variables["slice.memory_mib"] = text::number(slice.memory.whole_mib());
  variables["slice.cores"] = text::number(slice.cores.value);
  // Where a vendor has no word for "no limit".
  variables["slice.percent"] = text::number(slice.cores.value == 0 ? 100 : slice.cores.value);
  variables["slice.mode"] = slice.mode ? to_text(*slice.mode) : "";
  variables["slice.whole"] = slice.whole ? "true" : "false";
  variables["slice.memory_gib"] = text::number((slice.memory.whole_mib() + 1023) / 1024);
  variables["slice.slot"] = text::number(slice.slot);
  if (const auto* made = template_of(rules, device, slice.memory)) variables["slice.template"] = made->name;
  const auto parts = parts_of(slice);
  variables["slice.core_steps"] = text::number(parts.size());
  variables["slice.core_list"] = listed(parts, 0);
  variables["slice.mask_low"] = "0x" + text::hex64(slice.parts_low);
  variables["slice.mask_high"] = "0x" + text::hex64(slice.parts_high);
  if (slice.subdevice) variables["slice.subdevice"] = text::number(*slice.subdevice);
}

}  // namespace hami::vendors
