#include "libvgpu/core/device_names.h"

#include <gtest/gtest.h>

#include <string>

namespace hami::vgpu {
namespace {

constexpr const char* kUuids =
    "GPU-11111111-2222-3333-4444-555555555555,GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

TEST(IndexFromLists, IsTheOrdinalWithoutAList) {
  EXPECT_EQ(index_from_lists("", "", 3), 3);
  EXPECT_EQ(index_from_lists("", "all", 1), 1);
}

TEST(IndexFromLists, FollowsNumbers) {
  EXPECT_EQ(index_from_lists("1,0", "", 0), 1);
  EXPECT_EQ(index_from_lists("1, 0", "", 1), 0);
  EXPECT_EQ(index_from_lists("7", "", 0), 7);
}

TEST(IndexFromLists, FollowsUuidsAlsoShortOnes) {
  EXPECT_EQ(index_from_lists("GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", kUuids, 0), 1);
  EXPECT_EQ(index_from_lists("GPU-aaaa,GPU-1111", kUuids, 0), 1);
  EXPECT_EQ(index_from_lists("GPU-aaaa,GPU-1111", kUuids, 1), 0);
}

TEST(IndexFromLists, IgnoresWhatItCannotRead) {
  EXPECT_EQ(index_from_lists("GPU-ffff", kUuids, 0), 0);
  EXPECT_EQ(index_from_lists("-1", "", 0), 0);
  EXPECT_EQ(index_from_lists(",,", "", 1), 1);
  EXPECT_EQ(index_from_lists("99999999999", "", 0), 0);
}

TEST(IndexFromLists, LooksNoFurtherThanAContainerHasDevices) {
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += "x,";
  EXPECT_EQ(index_from_lists("GPU-aaaa", many + kUuids, 3), 3);
}

TEST(SameUuid, ComparesWithoutPrefixAndCase) {
  EXPECT_TRUE(same_uuid("GPU-AB", "GPU-ab"));
  EXPECT_TRUE(same_uuid("MIG-ab", "GPU-ab"));
  EXPECT_FALSE(same_uuid("GPU-ab", "GPU-abc"));
  EXPECT_FALSE(same_uuid("", ""));
}

}  // namespace
}  // namespace hami::vgpu
