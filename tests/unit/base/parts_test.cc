#include "oci-config/base/parts.h"

#include <gtest/gtest.h>

namespace hami {
namespace {

Parts some(std::initializer_list<std::size_t> numbers) {
  Parts parts;
  for (const std::size_t number : numbers) parts.set(number);
  return parts;
}

TEST(PartsText, HasRangesInOrder) {
  EXPECT_EQ(list_parts({}), "");
  EXPECT_EQ(list_parts(some({5})), "5");
  EXPECT_EQ(list_parts(some({0, 1, 2, 63, 64, 511})), "0-2,63-64,511");
  EXPECT_EQ(list_parts(some({0, 1, 3}), 4), "4-5,7");
}

TEST(PartsText, IsReadBack) {
  for (const Parts& parts : {some({}), some({0}), some({1, 2, 3, 5, 200}), some({511}), Parts().set()})
    EXPECT_EQ(parse_parts(list_parts(parts)), parts);
}

TEST(PartsText, NothingElseIsRead) {
  for (const char* text :
       {",", "1,", "-1", "1-", "3-2", "2,1", "1-3,3", "512", "0-512", "a", "1 ", "99999999999999999999"})
    EXPECT_FALSE(parse_parts(text)) << text;
}

TEST(PartsText, WordsAreSixtyFourBits) {
  const Parts parts = some({0, 63, 64, 127, 128});
  EXPECT_EQ(word_of_parts(parts, 0), 0x8000000000000001U);
  EXPECT_EQ(word_of_parts(parts, 1), 0x8000000000000001U);
  EXPECT_EQ(word_of_parts(parts, 2), 1U);
  EXPECT_EQ(word_of_parts(parts, 7), 0U);
}

}  // namespace
}  // namespace hami
