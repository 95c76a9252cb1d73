#include "vendors/condition.h"

#include <algorithm>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

constexpr int kMaxNesting = 32;
constexpr std::size_t kMaxSteps = 256;

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_word_start(c) || is_digit(c) || c == '.' || c == '-'; }

// Recursive descent over: either := both ('||' both)*; both := unary ('&&' unary)*;
// unary := '!' unary | '(' either ')' | test; test := call | operand ('==' | '!=') operand | true | false.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  tl::expected<Condition, ConditionError> run() {
    if (!either(0)) return tl::unexpected<ConditionError>(error_);
    skip_blanks();
    if (at_ != text_.size()) {
      stop("expected '&&', '||' or the end");
      return tl::unexpected<ConditionError>(error_);
    }
    return Condition{std::string(text_), std::move(program_)};
  }

 private:
  bool stop(std::string cause) {
    error_ = ConditionError{at_, std::move(cause)};
    return false;
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  bool accept(std::string_view token) {
    skip_blanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  bool emit(Condition::Op op, Condition::Operand left = {}, Condition::Operand right = {}) {
    if (program_.size() == kMaxSteps) return stop("too long");
    program_.push_back({op, std::move(left), std::move(right)});
    return true;
  }

  bool either(int depth) {
    if (!both(depth)) return false;
    while (accept("||")) {
      if (!both(depth) || !emit(Condition::Op::either)) return false;
    }
    return true;
  }

  bool both(int depth) {
    if (!unary(depth)) return false;
    while (accept("&&")) {
      if (!unary(depth) || !emit(Condition::Op::both)) return false;
    }
    return true;
  }

  bool unary(int depth) {
    if (depth == kMaxNesting) return stop("nested too deeply");
    skip_blanks();
    if (text_.substr(at_, 2) != "!=" && accept("!")) {
      return unary(depth + 1) && emit(Condition::Op::negate);
    }
    if (!accept("(")) return test();
    if (!either(depth + 1)) return false;
    return accept(")") || stop("expected ')'");
  }

  bool test() {
    const std::size_t start = at_;
    auto left = operand();
    if (!left) return false;
    if (left->is_variable && accept("(")) return call(left->value, start);
    if (accept("==")) return comparison(Condition::Op::equal, std::move(*left));
    if (accept("!=")) return comparison(Condition::Op::not_equal, std::move(*left));
    if (left->is_variable && (left->value == "true" || left->value == "false")) {
      return emit(Condition::Op::constant, {false, left->value});
    }
    skip_blanks();
    return stop("expected '==' or '!='");
  }

  bool comparison(Condition::Op op, Condition::Operand left) {
    auto right = operand();
    return right && emit(op, std::move(left), std::move(*right));
  }

  bool call(const std::string& function, std::size_t start) {
    if (function == "privileged")
      return (accept(")") || stop("expected ')'")) && emit(Condition::Op::privileged);
    std::optional<Condition::Op> op;
    if (function == "cap") op = Condition::Op::capability;
    if (function == "gate") op = Condition::Op::gate;
    if (function == "has") op = Condition::Op::has;
    if (!op) {
      at_ = start;
      return stop(text::cat({"unknown function ", text::quote(function), " (cap, gate, has, privileged)"}));
    }
    auto name = operand();
    if (!name) return false;
    if (!name->is_variable) return stop("expected a name");
    return (accept(")") || stop("expected ')'")) && emit(*op, {false, std::move(name->value)});
  }

  // A name, a decimal number, or text in single or double quotes.
  std::optional<Condition::Operand> operand() {
    skip_blanks();
    if (at_ == text_.size()) return missing("expected a name, a number or quoted text");
    const char first = text_[at_];
    if (first == '\'' || first == '"') return quoted(first);
    const std::size_t start = at_;
    if (!is_word_start(first) && !is_digit(first)) return missing("expected a name, a number or quoted text");
    const bool number = is_digit(first);
    while (at_ < text_.size() && (number ? is_digit(text_[at_]) : is_word(text_[at_]))) ++at_;
    return Condition::Operand{!number, std::string(text_.substr(start, at_ - start))};
  }

  std::optional<Condition::Operand> quoted(char quote) {
    const auto end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return missing("quote without an end");
    Condition::Operand result{false, std::string(text_.substr(at_ + 1, end - at_ - 1))};
    at_ = end + 1;
    return result;
  }

  std::optional<Condition::Operand> missing(std::string cause) {
    stop(std::move(cause));
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Condition::Step> program_;
  ConditionError error_;
};

bool contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string_view text_of(const Condition::Operand& operand, const ConditionFacts& facts) {
  if (!operand.is_variable) return operand.value;
  const auto found = facts.variables.find(operand.value);
  return found == facts.variables.end() ? std::string_view{} : std::string_view{found->second};
}

}  // namespace

std::vector<std::string> Condition::variables() const {
  std::vector<std::string> found;
  for (const auto& step : program) {
    if (step.op == Op::has) found.push_back(step.left.value);
    if (step.left.is_variable) found.push_back(step.left.value);
    if (step.right.is_variable) found.push_back(step.right.value);
  }
  return found;
}

std::vector<std::string> Condition::names(Op op) const {
  std::vector<std::string> found;
  for (const auto& step : program) {
    if (step.op == op) found.push_back(step.left.value);
  }
  return found;
}

tl::expected<Condition, ConditionError> parse_condition(std::string_view text) { return Parser(text).run(); }

bool holds(const Condition& condition, const ConditionFacts& facts) {
  if (condition.program.empty()) return true;
  std::vector<bool> stack;
  const auto pop = [&stack] {
    const bool top = stack.back();
    stack.pop_back();
    return top;
  };
  for (const auto& step : condition.program) {
    switch (step.op) {
      case Condition::Op::constant:
        stack.push_back(step.left.value == "true");
        break;
      case Condition::Op::capability:
        stack.push_back(contains(facts.capabilities, step.left.value));
        break;
      case Condition::Op::gate:
        stack.push_back(contains(facts.gates, step.left.value));
        break;
      case Condition::Op::privileged:
        stack.push_back(facts.privileged);
        break;
      case Condition::Op::has:
        stack.push_back(facts.variables.contains(step.left.value));
        break;
      case Condition::Op::equal:
        stack.push_back(text_of(step.left, facts) == text_of(step.right, facts));
        break;
      case Condition::Op::not_equal:
        stack.push_back(text_of(step.left, facts) != text_of(step.right, facts));
        break;
      case Condition::Op::negate:
        stack.back() = !stack.back();
        break;
      case Condition::Op::both: {
        const bool right = pop();
        stack.back() = stack.back() && right;
        break;
      }
      case Condition::Op::either: {
        const bool right = pop();
        stack.back() = stack.back() || right;
        break;
      }
    }
  }
  return stack.back();
}

}  // namespace hami::vendors
