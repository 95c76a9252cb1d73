#include "vendors/values.h"

#include <gtest/gtest.h>

#include "vendors/node.h"

namespace hami::vendors {
namespace {

TEST(Values, FindTheVersionInBothFlavoursOfTheDriver) {
  EXPECT_EQ(typed_value(ValueType::version, "  550.90.07  Fri May 31"), "550.90.07");
  EXPECT_EQ(typed_value(ValueType::version, " for x86_64  570.124.06  Release Build"), "570.124.06");
  EXPECT_EQ(typed_value(ValueType::version, "for x86_64 unknown"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::version, "1"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::version, "1..2"), std::nullopt);
}

TEST(Values, TakeNoIdentityThatIsNotKnownYet) {
  EXPECT_EQ(typed_value(ValueType::uuid, "GPU-" + std::string(8, '?')), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::uuid, "GPU-12345678-0000-0000-0000-000000000000\n"),
            "GPU-12345678-0000-0000-0000-000000000000");
  EXPECT_EQ(typed_value(ValueType::uuid, "../../etc"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::uuid, "???? GPU-1234"), std::nullopt);
}

TEST(Values, AcceptOnlyWhatHasTheType) {
  EXPECT_EQ(typed_value(ValueType::number, " 12\n"), "12");
  EXPECT_EQ(typed_value(ValueType::number, "-1"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::number, "1/../2"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::integer, "-1"), "-1");
  EXPECT_EQ(typed_value(ValueType::bdf, "0000:3b:00.0"), "0000:3b:00.0");
  EXPECT_EQ(typed_value(ValueType::bdf, "0000:3b:00"), std::nullopt);
  EXPECT_EQ(typed_value(ValueType::hex, "0x10de"), "0x10de");
  EXPECT_EQ(typed_value(ValueType::text, " NVIDIA A100 \nx"), "NVIDIA A100");
  EXPECT_EQ(typed_value(ValueType::text, " \n"), std::nullopt);
}

TEST(Values, ReadTheLineOfAKeyExactly) {
  const std::string text = "GPU UUID: \t GPU-1\nUUID: x\nDevice Minor: \t 3\n";

  EXPECT_EQ(value_of_key(text, "GPU UUID"), "GPU-1");
  EXPECT_EQ(value_of_key(text, "UUID"), "x");
  EXPECT_EQ(value_of_key(text, "Device"), std::nullopt);
}

TEST(Values, BringPciAddressesIntoTheKernelsSpelling) {
  EXPECT_EQ(normal_bdf("00000000:3B:00.0"), "0000:3b:00.0");
  EXPECT_EQ(normal_bdf("0000:3b:00.0"), "0000:3b:00.0");
  EXPECT_EQ(normal_bdf("00010000:3b:00.0"), "00010000:3b:00.0");
}

TEST(Values, ReadMajorsOfCharacterDevicesOnly) {
  const auto majors =
      character_majors("Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n\nBlock devices:\n  8 sd\n");

  EXPECT_EQ(majors.count("nvidia"), 1U);
  EXPECT_EQ(majors.find("nvidiactl")->second, 195U);
  EXPECT_EQ(majors.count("sd"), 0U);
}

}  // namespace
}  // namespace hami::vendors
