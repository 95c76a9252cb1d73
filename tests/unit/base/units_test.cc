#include "oci-config/base/units.h"

#include <gtest/gtest.h>

namespace hami {
namespace {

TEST(ParseBytes, ReadsBinaryUnitsWithAnyCommonSpelling) {
  EXPECT_EQ(parse_bytes("3000m")->value, 3000 * kMiB);
  EXPECT_EQ(parse_bytes("12GiB")->value, 12 * kGiB);
  EXPECT_EQ(parse_bytes(" 1.5g ")->value, kGiB + kGiB / 2);
  EXPECT_EQ(parse_bytes("512Mi")->value, 512 * kMiB);
  EXPECT_EQ(parse_bytes("4096")->value, 4096U);
  EXPECT_EQ(parse_bytes("2 GB")->value, 2 * kGiB);
  EXPECT_EQ(parse_bytes("0")->value, 0U);
}

TEST(ParseBytes, RefusesEverythingElse) {
  for (const char* text : {"", "g", "-1", "+1", "0x10m", "1e3", "99999999999999999999", "17179869184g",
                           "1..5g", "1.g", "10x", "2Gib2", "abc", "1,5g", "3000 m m"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

}  // namespace
}  // namespace hami
