#include "libvgpu/core/size.h"

#include <gtest/gtest.h>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

TEST(ParseSize, UnderstandsWhatPeopleWrite) {
  EXPECT_EQ(parse_size("3000m"), 3000 * kGiB / 1024);
  EXPECT_EQ(parse_size("4g"), 4 * kGiB);
  EXPECT_EQ(parse_size("4G"), 4 * kGiB);
  EXPECT_EQ(parse_size("4Gi"), 4 * kGiB);
  EXPECT_EQ(parse_size("4GiB"), 4 * kGiB);
  EXPECT_EQ(parse_size("4GB"), 4 * kGiB);
  EXPECT_EQ(parse_size("2T"), 2048 * kGiB);
  EXPECT_EQ(parse_size("4294967296"), 4 * kGiB);
  EXPECT_EQ(parse_size("512k"), 512U * 1024);
  EXPECT_EQ(parse_size(" 2 g "), 2 * kGiB);
  EXPECT_EQ(parse_size("1.5g"), kGiB + kGiB / 2);
  EXPECT_EQ(parse_size("100b"), 100U);
  EXPECT_EQ(parse_size("010g"), 10 * kGiB) << "decimal, whatever the first digit";
}

TEST(ParseSize, ZeroIsAValue) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("0m"), 0U);
}

TEST(ParseSize, RefusesWhatItDoesNotFullyUnderstand) {
  for (const char* text : {"",
                           " ",
                           "abc",
                           "g",
                           "-1",
                           "-1g",
                           "+2g",
                           "0x10m",
                           "10x",
                           "50%",
                           "1e9",
                           "2g,1g",
                           "1..5g",
                           "1.g",
                           ".5g",
                           "1.5",
                           "1gg",
                           "1 2",
                           "4Gib4",
                           "18446744073709551616",
                           "99999999999g",
                           "9t9"}) {
    EXPECT_FALSE(parse_size(text)) << "'" << text << "'";
  }
}

TEST(ParseSize, RefusesWhatDoesNotFitIn63Bits) {
  EXPECT_FALSE(parse_size("9223372036854775808"));
  EXPECT_TRUE(parse_size("9223372036854775807"));
  EXPECT_FALSE(parse_size("8388608t"));
  EXPECT_TRUE(parse_size("8388607t"));
}

}  // namespace
}  // namespace hami::vgpu
