// The size of an array as its descriptor tells it.
#include "libvgpu/cuda/array_size.h"

#include <gtest/gtest.h>

#include "libvgpu/abi/usage.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr auto kFloat = static_cast<CUarray_format>(0x20);
constexpr auto kBc1 = static_cast<CUarray_format>(0x91);
constexpr auto kNv12 = static_cast<CUarray_format>(0xb0);

CUDA_ARRAY3D_DESCRIPTOR describe(std::size_t width, std::size_t height, std::size_t depth,
                                 CUarray_format format, unsigned channels, unsigned flags = 0) {
  return {width, height, depth, format, channels, flags};
}

TEST(ArraySize, IsExtentsTimesChannelsTimesBytes) {
  EXPECT_EQ(array_bytes(describe(1024, 1024, 0, kFloat, 4)), 16 * kMiB);
  EXPECT_EQ(array_bytes(describe(1024, 0, 0, kFloat, 1)), 64U * 1024) << "one row, rounded up";
  EXPECT_EQ(array_bytes(describe(256, 256, 256, kFloat, 1)), 64 * kMiB);
}

TEST(ArraySize, CountsBlocksOfCompressedFormats) {
  EXPECT_EQ(array_bytes(describe(4096, 4096, 0, kBc1, 4)), 8 * kMiB);
}

TEST(ArraySize, CountsThePlanesOfVideo) {
  EXPECT_EQ(array_bytes(describe(4096, 4096, 0, kNv12, 3)), 24 * kMiB);
}

TEST(ArraySize, IsNothingForArraysWithoutMemoryOfTheirOwn) {
  EXPECT_EQ(array_bytes(describe(4096, 4096, 0, kFloat, 4, CUDA_ARRAY3D_SPARSE)), 0U);
  EXPECT_EQ(array_bytes(describe(4096, 4096, 0, kFloat, 4, CUDA_ARRAY3D_DEFERRED_MAPPING)), 0U);
}

TEST(ArraySize, HalvesExtentsButNotLayersFromLevelToLevel) {
  EXPECT_EQ(mipmap_bytes(describe(1024, 1024, 0, kFloat, 1), 2), 6 * kMiB) << "5 MiB in blocks of 2";
  EXPECT_EQ(mipmap_bytes(describe(1024, 1024, 6, kFloat, 1, CUDA_ARRAY3D_CUBEMAP), 2), 30 * kMiB);
  EXPECT_EQ(mipmap_bytes(describe(1024, 1024, 8, kFloat, 1), 2), 36 * kMiB);
}

TEST(ArraySize, StopsAtASizeThatNoCardHas) {
  const std::size_t huge = ~std::size_t{0};
  EXPECT_GT(array_bytes(describe(huge, huge, huge, kFloat, 4)), abi::kHeldMax);
  EXPECT_GT(mipmap_bytes(describe(huge / 2, 3, 1, kFloat, 4), ~0U), abi::kHeldMax);
}

TEST(ArraySize, TakesTheLargestTexelForFormatsItDoesNotKnow) {
  EXPECT_EQ(array_bytes(describe(1024, 1024, 0, static_cast<CUarray_format>(0x7777), 1)), 16 * kMiB);
}

}  // namespace
}  // namespace hami::vgpu
