// What a module's image says about the device memory that it needs, before the driver loads it.
#pragma once

#include <cstdint>

namespace hami::vgpu {

struct ImageSize {
  std::uint64_t globals = 0;
  std::uint64_t code = 0;  // with its constants; the driver may load it later, or never
};

// Bytes that a cubin, a PTX text or a fat binary takes from a card of this compute capability (90: 9.0); 0
// where the image does not tell, as when it is compressed. Any address is fine: what cannot be read says
// nothing.
ImageSize image_size(const void* image, unsigned capability) noexcept;

}  // namespace hami::vgpu
