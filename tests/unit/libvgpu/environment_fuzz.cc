// Any values of the variables: either every device has a limit that fits, or the mistake is named, and then
// with its own text. Input: lines "NAME=VALUE"; a name may come more than once, the first one counts.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "libvgpu/core/device_names.h"
#include "libvgpu/core/environment.h"
#include "libvgpu/core/size.h"

namespace {

std::map<std::string, std::string, std::less<>> g_variables;

const char* look_up(const char* name) noexcept {
  const auto found = g_variables.find(std::string_view(name));
  return found == g_variables.end() ? nullptr : found->second.c_str();
}

void read_lines(std::string_view text) {
  g_variables.clear();
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
    const std::size_t equals = line.find('=');
    // A C string ends at its first NUL, as in a real environment.
    if (equals != std::string_view::npos)
      g_variables.emplace(line.substr(0, equals), std::string(line.substr(equals + 1)).c_str());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::vgpu;
  read_lines({reinterpret_cast<const char*>(data), size});
  const EnvironmentLimits limits = read_environment(look_up);
  if ((limits.bad_name == nullptr) != (limits.bad_value == nullptr)) std::abort();
  if (limits.bad_name != nullptr && parse_size(look_up(limits.bad_name))) std::abort();
  for (const std::uint64_t bytes : limits.memory) {
    if (bytes >= std::uint64_t{1} << 63U) std::abort();
  }
  const char* visible = look_up("CUDA_VISIBLE_DEVICES");
  const char* uuids = look_up("NVIDIA_VISIBLE_DEVICES");
  const int index = index_from_lists(visible == nullptr ? "" : visible, uuids == nullptr ? "" : uuids, 1);
  if (index < 0 || index > 9999) std::abort();
  return 0;
}
