#include "oci-config/base/text.h"

#include <gtest/gtest.h>

#include "oci-config/base/log.h"

namespace hami {
namespace {

TEST(Quote, KeepsATenantFromForgingLines) {
  EXPECT_EQ(text::quote("a\nlevel=error 'x'\x1b"), R"('a\nlevel=error \'x\'\x1b')");
  EXPECT_EQ(text::quote("abcdef", 3), "'abc…'");
}

TEST(ParseU64, ReadsDecimalDigitsOnly) {
  EXPECT_EQ(text::parse_u64("18446744073709551615"), UINT64_MAX);
  for (const char* value : {"", " 1", "1 ", "+1", "-1", "0x1", "18446744073709551616", "1.0"}) {
    EXPECT_EQ(text::parse_u64(value), std::nullopt) << value;
  }
}

TEST(JsonString, IsValidUtf8WhateverComesIn) {
  EXPECT_EQ(json_string("a\"\\\n\x01\xff"
                        "ü"),
            "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbdü\"");
}

}  // namespace
}  // namespace hami
