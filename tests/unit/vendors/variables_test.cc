#include "vendors/variables.h"

#include <gtest/gtest.h>

namespace hami::vendors {
namespace {

TEST(Variables, FindsEveryUseWithItsPlace) {
  const auto uses = variables_in("/dev/nvidia${dev.minor}-${x}");
  ASSERT_TRUE(uses);

  EXPECT_EQ(*uses, (std::vector<VariableUse>{{"dev.minor", 11}, {"x", 24}}));
}

TEST(Variables, RefusesADollarThatBeginsNoVariable) {
  for (const auto* text : {"a$b", "a${", "a${}", "a${b", "a${b c}", "a$"}) {
    const auto uses = variables_in(text);
    ASSERT_FALSE(uses) << text;
    EXPECT_EQ(uses.error(), 1U) << text;
  }
}

TEST(Variables, ReplacesEveryUse) {
  EXPECT_EQ(expand("${a}/b${c}${a}", {{"a", "1"}, {"c", "22"}}).value(), "1/b221");
  EXPECT_EQ(expand("plain", {}).value(), "plain");
}

TEST(Variables, DoesNotReplaceInsideAValue) { EXPECT_EQ(expand("${a}", {{"a", "${b}"}}).value(), "${b}"); }

TEST(Variables, NamesTheOneWithoutAValue) {
  const auto result = expand("${a}", {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_found);
  EXPECT_NE(result.error().message.find("'a'"), std::string::npos);
}

}  // namespace
}  // namespace hami::vendors
