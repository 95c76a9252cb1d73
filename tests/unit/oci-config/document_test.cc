#include "oci-config/document.h"

#include <string>

#include <gtest/gtest.h>

namespace hami::oci {
namespace {

std::string round_trip(const std::string& text) {
  const auto document = Document::parse(text);
  return document ? document->serialize() : "error: " + document.error().message;
}

std::string error_of(const std::string& text) {
  const auto document = Document::parse(text);
  return document ? "accepted" : document.error().message;
}

TEST(Document, KeepsUnknownMembersTheirOrderAndTheSpellingOfNumbers) {
  const std::string text =
      R"({"z":1,"a":{"unknown":[1e3,2.50,-0.0,18446744073709551615,-9223372036854775808]},"m":"/x/y","u":"\"ü"})";

  EXPECT_EQ(round_trip(text), text);
}

TEST(Document, RefusesDuplicateMembersAndSaysWhere) {
  EXPECT_EQ(error_of("{\"a\":1,\n \"b\":2, \"a\":3}"), "line 2, column 9: duplicate member 'a'");
  EXPECT_NE(error_of("{\"a\":1,\"\\u0061\":2}").find("duplicate member 'a'"), std::string::npos);
}

TEST(Document, RefusesWhatRuncAndCrunReadDifferently) {
  for (const char* text : {"",
                           "[]",
                           "null",
                           "{\"a\":1} x",
                           "{\"a\":'b'}",
                           "{\"a\":NaN}",
                           "{\"a\":01}",
                           "{a:1}",
                           "{\"a\":1,}",
                           "{\"a\":\"\\ud800\"}",
                           "{\"a\":18446744073709551616}",
                           "{\"a\":-9223372036854775809}",
                           "\xef\xbb\xbf{}",
                           "{\"a\":\"\xff\"}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":1.}",
                           "{\"a\":",
                           "{/* c */}",
                           "{\"a\" 1}",
                           "{\"a\":tru}"}) {
    EXPECT_NE(error_of(text), "accepted") << text;
  }
}

TEST(Document, RefusesDepthThatCouldHurtWithoutUsingTheStack) {
  const std::string deep = "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}";
  const std::string fine = "{\"a\":" + std::string(500, '[') + std::string(500, ']') + "}";

  EXPECT_NE(error_of(deep).find("nested deeper than 512 levels"), std::string::npos);
  EXPECT_EQ(round_trip(fine), fine);
}

TEST(Document, ReadsTenMegabytes) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i)
    text += "\"key" + std::to_string(i) + "\":\"a value of some length, to fill it\",";
  text += "\"end\":0}";

  EXPECT_EQ(round_trip(text), text);
}

}  // namespace
}  // namespace hami::oci
