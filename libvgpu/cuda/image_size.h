// What a module's image says about the device memory of its global variables, before the driver loads it.
#pragma once

#include <cstdint>

namespace hami::vgpu {

// Bytes of the global variables of a cubin, a PTX text or a fat binary; 0 where the image does not tell, as
// when it is compressed. Never more than the driver takes for them. Any address is fine: what cannot be read
// says nothing.
std::uint64_t bytes_of_globals(const void* image) noexcept;

}  // namespace hami::vgpu
