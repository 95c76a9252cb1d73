// Reads arbitrary lines "key=value" as the annotations of a Pod; "@x=" is short for the keys of HAMi and
// Volcano. What was understood must survive being written and read again.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami;
  using namespace hami::schedulers;
  constexpr std::array<std::string_view, 8> kKeys{"hami.io/vgpu-devices-allocated",
                                                  "hami.io/vgpu-devices-to-allocate",
                                                  "hami.io/Ascend310P-devices-allocated",
                                                  "hami.io/Biren-devices-allocated",
                                                  "hami.io/Biren-devices-to-allocate",
                                                  "hami.io/amd-devices-allocated",
                                                  "volcano.sh/vgpu-ids-new",
                                                  "volcano.sh/devices-to-allocate"};
  std::map<std::string, std::string> annotations;
  for (const auto line : text::split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    const bool is_short = line.front() == '@' && equals == 2;
    const std::string key(is_short ? kKeys[static_cast<unsigned char>(line[1]) % kKeys.size()]
                                   : line.substr(0, equals));
    annotations[key] = line.substr(equals + 1);
  }
  const auto got = pod_allocations(annotations);
  if (!got) return 0;
  const auto again = pod_allocations(encode_allocations(*got));
  if (!again || again->size() > got->size()) std::abort();
  for (const PodAllocation& allocation : *got) {
    for (const Group& group : allocation.groups) {
      for (const DeviceRecord& record : group) {
        if (record.is_placeholder()) std::abort();
      }
    }
  }
  return 0;
}
