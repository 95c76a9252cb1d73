// Any text as a size and as the lists that number devices: no crash, no value outside its range.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libvgpu/core/device_names.h"
#include "libvgpu/core/size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bytes = hami::vgpu::parse_size(text);
  if (bytes && *bytes >= std::uint64_t{1} << 63U) std::abort();
  const std::size_t half = size / 2;
  const int index = hami::vgpu::index_from_lists({text.data(), half}, {text.data() + half, size - half}, 2);
  if (index < 0 || index > 9999) std::abort();
  return 0;
}
