#include "oci-config/base/quantity.h"

#include <gtest/gtest.h>

#include <random>

#include "oci-config/base/text.h"

namespace hami {
namespace {

TEST(ParseQuantity, LettersArePowersOfTenAndWithAnIOfTwo) {
  EXPECT_EQ(parse_quantity("0")->value, 0U);
  EXPECT_EQ(parse_quantity("8589934592")->value, 8 * kGiB);
  EXPECT_EQ(parse_quantity("8Gi")->value, 8 * kGiB);
  EXPECT_EQ(parse_quantity("8192Mi")->value, 8 * kGiB);
  EXPECT_EQ(parse_quantity("1Ei")->value, std::uint64_t{1} << 60U);
  EXPECT_EQ(parse_quantity("8G")->value, 8'000'000'000U);
  EXPECT_EQ(parse_quantity("8000000k")->value, 8'000'000'000U);
  EXPECT_EQ(parse_quantity("1E")->value, 1'000'000'000'000'000'000U);
  EXPECT_EQ(parse_quantity("+3M")->value, 3'000'000U);
}

TEST(ParseQuantity, FractionsAndExponentsAreExact) {
  EXPECT_EQ(parse_quantity("1.5Gi")->value, kGiB + kGiB / 2);
  EXPECT_EQ(parse_quantity(".5Ki")->value, 512U);
  EXPECT_EQ(parse_quantity("5.")->value, 5U);
  EXPECT_EQ(parse_quantity("8e9")->value, 8'000'000'000U);
  EXPECT_EQ(parse_quantity("8E+9")->value, 8'000'000'000U);
  EXPECT_EQ(parse_quantity("8.25e2")->value, 825U);
  EXPECT_EQ(parse_quantity("12000e-3")->value, 12U);
}

TEST(ParseQuantity, PartsOfAByteAreRoundedUp) {
  EXPECT_EQ(parse_quantity("1500m")->value, 2U);
  EXPECT_EQ(parse_quantity("2000m")->value, 2U);
  EXPECT_EQ(parse_quantity("1n")->value, 1U);
  EXPECT_EQ(parse_quantity("1u")->value, 1U);
  EXPECT_EQ(parse_quantity("0.1")->value, 1U);
}

TEST(ParseQuantity, RefusesEverythingElse) {
  for (const char* text : {"",      "+",
                           ".",     "Gi",
                           "-1",    "-0",
                           " 1",    "1 ",
                           "1 Gi",  "8g",
                           "8gi",   "8K",
                           "8GiB",  "8GB",
                           "8b",    "1e",
                           "1e1.5", "1e99",
                           "1.2.3", "0x10",
                           "1,5Gi", "99999999999999999999",
                           "17Ei",  "100E",
                           "1i",    "eee",
                           "1e-",   "1mm",
                           "1\n"}) {
    EXPECT_FALSE(parse_quantity(text)) << text::quote(text);
  }
}

TEST(ParseQuantity, AnyNumberOfAnyUnitIsItsProduct) {
  constexpr std::pair<const char*, std::uint64_t> kUnits[] = {
      {"", 1},       {"k", 1000},       {"M", 1000'000},   {"G", 1000'000'000},
      {"Ki", 1024U}, {"Mi", 1U << 20U}, {"Gi", 1U << 30U}, {"e3", 1000}};
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t number = random() >> (32U + random() % 32U);
    const auto& [suffix, factor] = kUnits[random() % std::size(kUnits)];
    const std::string text = text::cat({text::number(number), suffix});
    const auto got = parse_quantity(text);
    ASSERT_TRUE(got) << text;
    EXPECT_EQ(got->value, number * factor) << text;
  }
}

}  // namespace
}  // namespace hami
