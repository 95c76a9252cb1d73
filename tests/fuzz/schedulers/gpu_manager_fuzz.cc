// Reads arbitrary lines "name=value" as GPU-Manager's annotations below tencent.com/.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/neighbours.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami;
  using namespace hami::schedulers;
  std::map<std::string, std::string> annotations;
  for (const auto line : text::split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    annotations[text::cat({"tencent.com/", line.substr(0, equals)})] = line.substr(equals + 1);
  }
  static_cast<void>(gpu_manager_groups(annotations));
  const auto share = parse_gpu_manager(annotations, 0);
  if (!share || !*share) return 0;
  const auto again = parse_gpu_manager(encode_gpu_manager(**share, 0), 0);
  if (!again || !*again || (*again)->core != (*share)->core || (*again)->minors != (*share)->minors)
    std::abort();
  return 0;
}
