// Reads arbitrary text as the names, ids and shares of device plugins that allocate by themselves.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime-shim/schedulers/dra.h"
#include "runtime-shim/schedulers/plugins.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami;
  using namespace hami::schedulers;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  if (const auto names = parse_cdi_names(value)) {
    const auto again = parse_cdi_names(encode_cdi_names(*names));
    if (!again || *again != *names) std::abort();
    for (const CdiName& name : *names) {
      const auto device = parse_dra_device(name);
      if (!device || !*device) continue;
      const auto same = parse_dra_device(encode_dra_device(**device));
      if (!same || *same != *device) std::abort();
    }
  }
  for (const bool split : {false, true}) {
    const KubeletDevice device = parse_kubelet_device(value, split);
    if (parse_kubelet_device(encode_kubelet_device(device, split), split).uuid.size() > value.size())
      std::abort();
  }
  const Bytes card = Bytes::mib(15360);
  if (const auto memory = kai_memory(value, card); memory && *memory > card) std::abort();
  if (const auto memory = kai_fraction(value, card); memory && *memory > card) std::abort();
  return 0;
}
