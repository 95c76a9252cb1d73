// The small language of a recipe's `when:`: cap(x), gate(x), has(dev.field), privileged(), == != && || ! and
// parentheses. No loops, no functions of the user, and evaluating cannot fail: everything is checked at load.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

// A compiled condition in postfix order. Without a program it always holds.
struct Condition {
  enum class Op { constant, capability, gate, privileged, has, equal, not_equal, negate, both, either };

  // `value` is a variable's name ("dev.minor") or the text itself.
  struct Operand {
    bool is_variable = false;
    std::string value;
    friend bool operator==(const Operand&, const Operand&) = default;
  };

  struct Step {
    Op op = Op::constant;
    Operand left;   // constant: "true" or "false"; capability, gate, has: the name
    Operand right;  // equal, not_equal only
    friend bool operator==(const Step&, const Step&) = default;
  };

  std::string text;  // as written, for messages
  std::vector<Step> program;

  // Names that the condition mentions: variables of has, == and !=.
  [[nodiscard]] std::vector<std::string> variables() const;
  // Names given to cap(…) or gate(…).
  [[nodiscard]] std::vector<std::string> names(Op op) const;

  friend bool operator==(const Condition&, const Condition&) = default;
};

// What a condition is asked about. A variable that is not in the map is absent: has() is false, its text is
// "".
struct ConditionFacts {
  std::vector<std::string> capabilities;
  std::vector<std::string> gates;  // the open ones
  bool privileged = false;
  std::map<std::string, std::string> variables;
};

// Where the text went wrong, for a message with the file's position.
struct ConditionError {
  std::size_t offset = 0;  // bytes from the beginning of the text
  std::string cause;
};

// Fails on anything that is not exactly one expression; nesting is limited.
[[nodiscard]] tl::expected<Condition, ConditionError> parse_condition(std::string_view text);

[[nodiscard]] bool holds(const Condition& condition, const ConditionFacts& facts);

}  // namespace hami::vendors
