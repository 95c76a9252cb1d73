#include "libvgpu/core/view.h"

#include <gtest/gtest.h>

namespace hami::vgpu {
namespace {

TEST(DeviceView, ShowsTheSliceOfAnEmptyCard) {
  const DeviceView view = view_device(3000, 1000, 80'000, 79'000);
  EXPECT_EQ(view.total, 3000U);
  EXPECT_EQ(view.used, 1000U);
  EXPECT_EQ(view.free, 2000U);
}

TEST(DeviceView, WithoutALimitShowsTheCard) {
  const DeviceView view = view_device(0, 1000, 80'000, 60'000);
  EXPECT_EQ(view.total, 80'000U);
  EXPECT_EQ(view.free, 60'000U);
}

TEST(DeviceView, IsNeverLargerThanTheCard) {
  const DeviceView view = view_device(90'000, 1000, 80'000, 79'000);
  EXPECT_EQ(view.total, 80'000U);
  EXPECT_EQ(view.free, 79'000U);
}

TEST(DeviceView, UseAboveALoweredLimitLeavesNothingFree) {
  const DeviceView view = view_device(500, 1000, 80'000, 70'000);
  EXPECT_EQ(view.free, 0U);
  EXPECT_EQ(view.used, 500U);
}

TEST(DeviceView, AnotherTenantsUseIsVisibleInFree) {
  const DeviceView view = view_device(3000, 0, 80'000, 100);
  EXPECT_EQ(view.total, 3000U);
  EXPECT_EQ(view.free, 100U);
}

}  // namespace
}  // namespace hami::vgpu
