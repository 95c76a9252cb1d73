#include "vendors/slice_variables.h"

#include "oci-config/base/text.h"

namespace hami::vendors {

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
  variables["slice.core_steps"] = text::number(slice.parts.count());
  variables["slice.core_list"] = list_parts(slice.parts);
  variables["slice.mask_low"] = "0x" + text::hex64(word_of_parts(slice.parts, 0));
  variables["slice.mask_high"] = "0x" + text::hex64(word_of_parts(slice.parts, 1));
  if (slice.subdevice) variables["slice.subdevice"] = text::number(*slice.subdevice);
}

}  // namespace hami::vendors
