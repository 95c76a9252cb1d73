#include "libvgpu/cuda/array_size.h"

#include <algorithm>

#include "libvgpu/abi/usage.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kTooMuch = abi::kHeldMax + 1;
constexpr std::uint64_t kSmallUnit = std::uint64_t{64} << 10U;
constexpr std::uint64_t kBlock = std::uint64_t{2} << 20U;

// A run of formats with the same storage: `bytes` for a square of `edge` texels, or for one channel of one
// texel when `per_channel`. Planar video formats store `halves` / 2 samples per texel.
struct Format {
  int first;
  int last;
  unsigned bytes;
  unsigned edge;
  bool per_channel;
  unsigned halves;
};

// Source: CUDA driver API, CUarray_format.
constexpr Format kFormats[] = {
    {0x01, 0x01, 1, 1, true, 2},   {0x02, 0x02, 2, 1, true, 2},   {0x03, 0x03, 4, 1, true, 2},
    {0x08, 0x08, 1, 1, true, 2},   {0x09, 0x09, 2, 1, true, 2},   {0x0a, 0x0a, 4, 1, true, 2},
    {0x10, 0x10, 2, 1, true, 2},   {0x20, 0x20, 4, 1, true, 2},   {0x50, 0x50, 4, 1, false, 2},
    {0x91, 0x92, 8, 4, false, 2},  {0x93, 0x96, 16, 4, false, 2}, {0x97, 0x98, 8, 4, false, 2},
    {0x99, 0x9e, 16, 4, false, 2}, {0x9f, 0xa1, 2, 1, false, 3},  {0xa2, 0xa2, 1, 1, false, 4},
    {0xa3, 0xa4, 2, 1, false, 4},  {0xa5, 0xa5, 2, 1, false, 2},  {0xa6, 0xa7, 4, 1, false, 2},
    {0xa8, 0xa9, 4, 1, false, 2},  {0xb0, 0xb0, 1, 1, false, 3},  {0xb1, 0xb1, 8, 1, false, 2},
    {0xb2, 0xb2, 1, 1, false, 6},  {0xb3, 0xb3, 2, 1, false, 6},  {0xb4, 0xb4, 1, 1, false, 6},
    {0xb5, 0xb5, 2, 1, false, 6},  {0xc0, 0xc0, 1, 1, false, 2},  {0xc1, 0xc1, 2, 1, false, 2},
    {0xc2, 0xc2, 4, 1, false, 2},  {0xc3, 0xc3, 2, 1, false, 2},  {0xc4, 0xc4, 4, 1, false, 2},
    {0xc5, 0xc5, 8, 1, false, 2},  {0xc6, 0xc6, 1, 1, false, 2},  {0xc7, 0xc7, 2, 1, false, 2},
    {0xc8, 0xc8, 4, 1, false, 2},  {0xc9, 0xc9, 2, 1, false, 2},  {0xca, 0xca, 4, 1, false, 2},
    {0xcb, 0xcb, 8, 1, false, 2},
};

// A format that came later counts as the largest texel there is.
constexpr Format kUnknown = {0, 0, 16, 1, false, 2};

const Format& format_of(CUarray_format format) noexcept {
  const int value = static_cast<int>(format);
  for (const Format& known : kFormats) {
    if (value >= known.first && value <= known.last) return known;
  }
  return kUnknown;
}

// Products that stop at kTooMuch instead of wrapping.
std::uint64_t times(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) || product > kTooMuch ? kTooMuch : product;
}

std::uint64_t level_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, std::uint64_t width,
                          std::uint64_t height, std::uint64_t depth) noexcept {
  const Format& format = format_of(descriptor.Format);
  if (width >= kTooMuch || height >= kTooMuch) return kTooMuch;
  const std::uint64_t squares =
      times((width + format.edge - 1) / format.edge, (height + format.edge - 1) / format.edge);
  const std::uint64_t channels = format.per_channel ? std::max(descriptor.NumChannels, 1U) : 1;
  return times(times(times(squares, depth), channels), format.bytes * format.halves) / 2;
}

std::uint64_t round_up(std::uint64_t bytes) noexcept {
  if (bytes >= kTooMuch / 2) return kTooMuch;
  const std::uint64_t unit = bytes < kBlock ? kSmallUnit : kBlock;
  return (bytes + unit - 1) / unit * unit;
}

bool owns_no_memory(const CUDA_ARRAY3D_DESCRIPTOR& descriptor) noexcept {
  return (descriptor.Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) != 0;
}

}  // namespace

std::uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor) noexcept {
  return mipmap_bytes(descriptor, 1);
}

std::uint64_t mipmap_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, unsigned levels) noexcept {
  if (owns_no_memory(descriptor)) return 0;
  const bool layered = (descriptor.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
  std::uint64_t sum = 0;
  for (unsigned level = 0; level < std::clamp(levels, 1U, 64U); ++level) {
    const auto shrink = [level](std::uint64_t extent) { return std::max<std::uint64_t>(extent >> level, 1); };
    const std::uint64_t depth = std::max<std::uint64_t>(descriptor.Depth, 1);
    sum += level_bytes(descriptor, shrink(descriptor.Width), shrink(descriptor.Height),
                       layered ? depth : shrink(depth));
    if (sum >= kTooMuch) return kTooMuch;
  }
  return round_up(sum);
}

CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY_DESCRIPTOR& descriptor) noexcept {
  return {descriptor.Width, descriptor.Height, 0, descriptor.Format, descriptor.NumChannels, 0};
}

CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY_DESCRIPTOR_v1& descriptor) noexcept {
  return {descriptor.Width, descriptor.Height, 0, descriptor.Format, descriptor.NumChannels, 0};
}

CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY3D_DESCRIPTOR_v1& descriptor) noexcept {
  return {descriptor.Width,  descriptor.Height,      descriptor.Depth,
          descriptor.Format, descriptor.NumChannels, descriptor.Flags};
}

}  // namespace hami::vgpu
