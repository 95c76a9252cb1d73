#include "vendors/condition.h"

#include <gtest/gtest.h>

namespace hami::vendors {
namespace {

bool evaluate(std::string_view text, const ConditionFacts& facts = {}) {
  const auto condition = parse_condition(text);
  EXPECT_TRUE(condition) << text << ": " << (condition ? "" : condition.error().cause);
  return condition && holds(*condition, facts);
}

std::size_t offset_of_error(std::string_view text) {
  const auto condition = parse_condition(text);
  EXPECT_FALSE(condition) << text;
  return condition ? 9999 : condition.error().offset;
}

TEST(Condition, WithoutTextAlwaysHolds) { EXPECT_TRUE(holds(Condition{}, {})); }

TEST(Condition, KnowsCapabilitiesAndGates) {
  const ConditionFacts facts{{"compute"}, {"gds"}, false, {}};

  EXPECT_TRUE(evaluate("cap(compute)", facts));
  EXPECT_FALSE(evaluate("cap(graphics)", facts));
  EXPECT_TRUE(evaluate("gate(gds)", facts));
  EXPECT_FALSE(evaluate("gate(compute)", facts));
  EXPECT_FALSE(evaluate("privileged()", facts));
}

TEST(Condition, ComparesVariablesNumbersAndText) {
  ConditionFacts facts;
  facts.variables = {{"dev.minor", "3"}, {"dev.model", "A100 SXM"}};

  EXPECT_TRUE(evaluate("dev.minor == 3", facts));
  EXPECT_TRUE(evaluate("dev.minor != 4", facts));
  EXPECT_TRUE(evaluate("dev.model == 'A100 SXM'", facts));
  EXPECT_TRUE(evaluate("\"3\" == dev.minor", facts));
  EXPECT_FALSE(evaluate("dev.absent == '0'", facts));
}

TEST(Condition, AsksWhetherAVariableHasAValue) {
  ConditionFacts facts;
  facts.variables = {{"dev.drm.card", "1"}};

  EXPECT_TRUE(evaluate("has(dev.drm.card)", facts));
  EXPECT_FALSE(evaluate("has(dev.drm.render)", facts));
}

TEST(Condition, AndBindsTighterThanOrAndNotTighterThanAnd) {
  EXPECT_TRUE(evaluate("true || false && false"));
  EXPECT_FALSE(evaluate("(true || false) && false"));
  EXPECT_TRUE(evaluate("!false && true"));
  EXPECT_FALSE(evaluate("!(false || true)"));
  EXPECT_TRUE(evaluate("!!true"));
}

TEST(Condition, NamesWhereItStopsBeingOne) {
  EXPECT_EQ(offset_of_error(""), 0U);
  EXPECT_EQ(offset_of_error("cap(compute"), 11U);
  EXPECT_EQ(offset_of_error("cap(compute) extra"), 13U);
  EXPECT_EQ(offset_of_error("dev.minor"), 9U);
  EXPECT_EQ(offset_of_error("dev.minor == "), 13U);
  EXPECT_EQ(offset_of_error("true && env(X)"), 8U);
  EXPECT_EQ(offset_of_error("'open"), 0U);
  EXPECT_EQ(offset_of_error("a = b"), 2U);
}

TEST(Condition, RefusesDeepNestingAndEndlessLength) {
  EXPECT_FALSE(parse_condition(std::string(1000, '(')));
  EXPECT_FALSE(parse_condition(std::string(1000, '!') + "true"));
  std::string longest = "true";
  for (int i = 0; i < 1000; ++i) longest += "||true";
  EXPECT_FALSE(parse_condition(longest));
}

TEST(Condition, TellsTheNamesItMentions) {
  const auto condition = parse_condition("cap(a) && gate(b) && has(dev.c) && dev.d == x.e");
  ASSERT_TRUE(condition);

  EXPECT_EQ(condition->names(Condition::Op::capability), std::vector<std::string>{"a"});
  EXPECT_EQ(condition->names(Condition::Op::gate), std::vector<std::string>{"b"});
  EXPECT_EQ(condition->variables(), (std::vector<std::string>{"dev.c", "dev.d", "x.e"}));
}

}  // namespace
}  // namespace hami::vendors
