#include "oci-config/document.h"

#include <chrono>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "oci-config/base/json_scan.h"

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
      R"({"z":1,"a":{"unknown":[1e3,2.50,-0.0,1E+400,-0,0,18446744073709551615,-9223372036854775808]},)"
      R"("m":"/x/y","u":"\"ü","":"empty name","n":[null,true,false,{},[]],"limit":9223372036854771712})";

  EXPECT_EQ(round_trip(text), text);
}

TEST(Document, KeepsNulAndEveryOtherCharacterOfAString) {
  EXPECT_EQ(round_trip(R"({"a":"\u0000b\u001f\b\f\n\r\t\\\/\"\u00e9\ud83d\ude00"})"),
            "{\"a\":\"\\u0000b\\u001f\\b\\f\\n\\r\\t\\\\/\\\"é😀\"}");
}

TEST(Document, DropsOnlyBlanks) { EXPECT_EQ(round_trip(" { \"a\"\t:\r\n[ 1 , 2 ] } \n"), "{\"a\":[1,2]}"); }

TEST(Document, RefusesDuplicateMembersAndSaysWhere) {
  EXPECT_EQ(error_of("{\"a\":1,\n \"b\":2, \"a\":3}"), "line 2, column 9: duplicate member 'a'");
  EXPECT_EQ(error_of(R"({"a":1,"\u0061":2})"), "line 1, column 8: duplicate member 'a'");
  EXPECT_EQ(error_of(R"({"x":[{"a":null,"a":null}]})"), "line 1, column 17: duplicate member 'a'");
  EXPECT_EQ(error_of(R"({"a":{"a":[{"a":1}]},"b":{"a":1}})"), "accepted");
}

TEST(Document, RefusesANameThatItsTreeWouldCut) {
  EXPECT_EQ(error_of(R"({"a\u0000b":1})"), "line 1, column 2: a member name with a NUL character");
}

struct Refused {
  const char* text;
  const char* message;
};

class RefusedDocuments : public testing::TestWithParam<Refused> {};

TEST_P(RefusedDocuments, NameThePlace) { EXPECT_EQ(error_of(GetParam().text), GetParam().message); }

INSTANTIATE_TEST_SUITE_P(
    All, RefusedDocuments,
    testing::Values(
        Refused{"", "line 1, column 1: an object was expected at the top"},
        Refused{"[]", "line 1, column 1: an object was expected at the top"},
        Refused{"null", "line 1, column 1: an object was expected at the top"},
        Refused{"\xef\xbb\xbf{}", "line 1, column 1: the text begins with a byte order mark"},
        Refused{"{} x", "line 1, column 4: text after the end of the document"},
        Refused{"{}{}", "line 1, column 3: text after the end of the document"},
        Refused{"{", "line 1, column 2: the text ends in the middle"},
        Refused{"{\"a\":", "line 1, column 6: the text ends in the middle"},
        Refused{"{\"a\":\"b", "line 1, column 8: the text ends in the middle"},
        Refused{"{\"a\":[1", "line 1, column 8: the text ends in the middle"},
        Refused{"{\"a\":-", "line 1, column 7: the text ends in the middle"},
        Refused{"{\"a\":\"\\u12", "line 1, column 11: the text ends in the middle"},
        Refused{"{\"a\":'b'}", "line 1, column 6: a value was expected"},
        Refused{"{'a':1}", "line 1, column 2: a member name in double quotes was expected"},
        Refused{"{a:1}", "line 1, column 2: a member name in double quotes was expected"},
        Refused{"{\"a\":1,}", "line 1, column 8: a member name in double quotes was expected"},
        Refused{"{\"a\":[1,]}", "line 1, column 9: a value was expected"},
        Refused{"{\"a\":[1}", "line 1, column 8: ',' or ']' was expected"},
        Refused{"{\"a\":1]", "line 1, column 7: ',' or '}' was expected"},
        Refused{"{\"a\" 1}", "line 1, column 6: ':' was expected"},
        Refused{"{\"a\":NaN}", "line 1, column 6: a value was expected"},
        Refused{"{\"a\":-Infinity}", "line 1, column 7: a value was expected"},
        Refused{"{\"a\":tru}", "line 1, column 6: a value was expected"},
        Refused{"{/* c */}", "line 1, column 2: a member name in double quotes was expected"},
        Refused{"{\"a\":01}", "line 1, column 6: a number with a leading zero"},
        Refused{"{\"a\":+1}", "line 1, column 6: a value was expected"},
        Refused{"{\"a\":.5}", "line 1, column 6: a value was expected"},
        Refused{"{\"a\":1.}", "line 1, column 8: a digit after '.' was expected"},
        Refused{"{\"a\":1e}", "line 1, column 8: a digit in the exponent was expected"},
        Refused{"{\"a\":0x10}", "line 1, column 7: ',' or '}' was expected"},
        Refused{"{\"a\":18446744073709551616}", "line 1, column 6: an integer that does not fit 64 bits"},
        Refused{"{\"a\":-9223372036854775809}", "line 1, column 6: an integer that does not fit 64 bits"},
        Refused{"{\"a\":\"\n\"}", "line 1, column 7: a control character inside a string"},
        Refused{"{\"a\":\"\\x\"}", "line 1, column 8: an unknown escape in a string"},
        Refused{"{\"a\":\"\\u00g0\"}",
                "line 1, column 11: a hexadecimal digit (four after \\u) was expected"},
        Refused{"{\"a\":\"\\ud800\"}", "line 1, column 7: a lone surrogate in a string"},
        Refused{"{\"a\":\"\\udc00\"}", "line 1, column 7: a lone surrogate in a string"},
        Refused{"{\"a\":\"\\ud800\\u0041\"}", "line 1, column 7: a lone surrogate in a string"},
        Refused{"{\"a\":\"\xff\"}", "line 1, column 7: bytes that are not UTF-8"},
        Refused{"{\"a\":\"\xc0\x80\"}", "line 1, column 7: bytes that are not UTF-8"},
        Refused{"{\"a\":\"\xed\xa0\x80\"}", "line 1, column 7: bytes that are not UTF-8"},
        Refused{"{\"a\":\"\xf4\x90\x80\x80\"}", "line 1, column 7: bytes that are not UTF-8"}));

TEST(Document, SaysWhatToDoAboutIt) {
  for (const char* text : {"", "{\"a\":1,\"a\":2}", "{\"a\":1", "{} {}"}) {
    EXPECT_FALSE(Document::parse(text).error().hint.empty()) << text;
  }
}

TEST(Document, RefusesANulByteInTheText) {
  EXPECT_EQ(error_of(std::string("{\"a\":1\0}", 8)), "line 1, column 7: ',' or '}' was expected");
  EXPECT_EQ(error_of(std::string("{}\0", 3)), "line 1, column 3: text after the end of the document");
}

TEST(Document, RefusesDepthThatCouldHurtWithoutUsingTheStack) {
  const std::string fine = "{\"a\":" + std::string(511, '[') + std::string(511, ']') + "}";
  const std::string deep = "{\"a\":" + std::string(512, '[') + std::string(512, ']') + "}";
  const std::string hostile = "{\"a\":" + std::string(10'000'000, '[');

  EXPECT_EQ(round_trip(fine), fine);
  EXPECT_EQ(error_of(deep), "line 1, column 517: nested deeper than 512 levels");
  EXPECT_EQ(error_of(hostile), "line 1, column 517: nested deeper than 512 levels");
}

TEST(Document, RefusesMoreThanItsLimit) {
  const std::string big = "{\"a\":\"" + std::string(kMaxDocumentBytes, 'x') + "\"}";

  EXPECT_NE(error_of(big).find("more than the 67108864 that are read"), std::string::npos);
}

// The bound is far above what it takes (0.4 s) and far below what a quadratic search for duplicates would
// take.
TEST(Document, ReadsAndWritesTenMegabytesAndManyMembersInNoTime) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) {
    text += "\"key" + std::to_string(i) + "\":\"a value of some length, to fill it\",";
  }
  text += "\"end\":0}";
  const auto start = std::chrono::steady_clock::now();

  EXPECT_EQ(round_trip(text), text);

  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

// Random documents of every shape that the reader accepts.
class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  std::string object(int depth) {
    std::string out = "{";
    const int members = pick(5);
    for (int i = 0; i < members; ++i) {
      out += blank() + "\"" + std::to_string(i) + text() + "\"" + blank() + ":" + blank() + value(depth - 1);
      if (i + 1 < members) out += ",";
    }
    return out + blank() + "}";
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string one_of(std::initializer_list<const char*> items) {
    return *(items.begin() + pick(static_cast<int>(items.size())));
  }
  std::string blank() { return one_of({"", "", " ", "\n", "\t\r"}); }
  std::string text() {
    std::string out;
    for (int i = pick(4); i > 0; --i) {
      out += one_of({"a", "/", "\\/", "\\\"", "\\\\", "\\n", "\\u00e9", "é", "\\ud83d\\ude00", "\x7f", "<"});
    }
    return out;
  }
  std::string value(int depth) {
    switch (depth > 0 ? pick(5) : pick(3)) {
      case 0:
        return one_of(
            {"0", "-0", "1", "-1", "18446744073709551615", "-9223372036854775808", "9223372036854775808"});
      case 1:
        return one_of({"1e3", "2.50", "-0.0", "1E-2", "true", "false", "null", "{}", "[]"});
      case 2:
        return "\"" + text() + one_of({"", "\\u0000"}) + "\"";
      case 3:
        return object(depth);
      default:
        return "[" + value(depth - 1) + blank() + "," + blank() + value(depth - 1) + "]";
    }
  }

  std::mt19937 random_;
};

TEST(Document, WrittenAndReadAgainIsTheSameText) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    const std::string text = Writer(seed).object(6);
    const std::string once = round_trip(text);

    ASSERT_EQ(once.find("error"), std::string::npos) << "seed " << seed << ": " << once << "\n" << text;
    ASSERT_EQ(round_trip(once), once) << "seed " << seed;
    ASSERT_TRUE(scan_json(text, kMaxDocumentDepth)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace hami::oci
