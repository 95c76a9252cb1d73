#include "vendors/recipe_decoder.h"

#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/variables.h"

namespace hami::vendors {

namespace {

// Edit distance with bounded cost; long texts are not worth a suggestion.
std::size_t distance(std::string_view a, std::string_view b) {
  if (a.size() > 64 || b.size() > 64) return 64;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

// "did you mean 'x'" when one is near, otherwise all of them when they are few.
std::string suggestion(std::string_view got, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, got.size() / 3) + 1;
  for (const auto candidate : known) {
    const auto d = distance(text::lower(got), text::lower(candidate));
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  if (!best.empty()) return text::cat({"did you mean '", best, "'"});
  if (known.size() > 12) return {};
  const std::vector<std::string> list(known.begin(), known.end());
  return text::cat({"known: ", text::join(list, ", ")});
}

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '/' || c == '+';
}

bool is_env_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::string_view kind_name(yaml::Node::Kind kind) {
  switch (kind) {
    case yaml::Node::Kind::scalar:
      return "a text";
    case yaml::Node::Kind::list:
      return "a list";
    case yaml::Node::Kind::map:
      return "a map";
  }
  return {};
}

// A template's shape with something harmless in place of variables, so that literal parts can be checked.
std::string with_placeholders(std::string_view text, const std::vector<VariableUse>& uses) {
  std::string out;
  std::size_t from = 0;
  for (const auto& use : uses) {
    out += text.substr(from, use.offset - from);
    out += use.name == "ctr.libdir" || use.name == "ctr.libdir32" ? "/usr/lib/any" : "0";
    from = use.offset + use.name.size() + 3;
  }
  out += text.substr(from);
  return out;
}

}  // namespace

void Decoder::refuse(yaml::Position at, std::string_view cause, std::string hint) {
  if (!error_) error_ = yaml::error_at(file_, at, cause, std::move(hint));
}

void Decoder::unknown(yaml::Position at, std::string_view what, std::string_view got,
                      const std::vector<std::string_view>& known) {
  refuse(at, text::cat({"unknown ", what, " ", text::quote(got, 60)}), suggestion(got, known));
}

yaml::Position Decoder::inside(const yaml::Node& node, std::size_t offset) {
  return {node.at.line, node.at.column + offset + (node.plain ? 0 : 1)};
}

void Decoder::object(const yaml::Node& node, const std::vector<Field>& fields) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::map) {
    return refuse(node.at, text::cat({"expected a map, got ", kind_name(node.kind)}));
  }
  std::vector<std::string_view> known;
  known.reserve(fields.size());
  for (const auto& field : fields) known.push_back(field.key);
  for (const auto& key : node.keys) {
    if (std::find(known.begin(), known.end(), key.text) == known.end())
      return unknown(key.at, "key", key.text, known);
  }
  for (const auto& field : fields) {
    if (error_) return;
    if (const auto* value = node.find(field.key); value != nullptr) {
      field.read(*value);
    } else if (field.presence == Presence::required) {
      refuse(node.at, text::cat({"the key '", field.key, "' is missing"}));
    }
  }
}

void Decoder::not_a_map(const yaml::Node& node, std::string_view what) {
  refuse(node.at, text::cat({"expected a map of ", what}));
}

void Decoder::string(const yaml::Node& node, std::string& out) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::scalar) {
    return refuse(node.at, text::cat({"expected a text, got ", kind_name(node.kind)}));
  }
  static constexpr std::string_view kNotText[] = {"", "~", "null", "true", "false"};
  if (node.plain && std::find(std::begin(kNotText), std::end(kNotText), node.text) != std::end(kNotText)) {
    return refuse(node.at, text::cat({"expected a text, got ", node.text.empty() ? "nothing" : node.text}),
                  "put it in quotes if it is meant as text");
  }
  out = node.text;
}

void Decoder::strings(const yaml::Node& node, std::vector<std::string>& out) {
  out.clear();
  each(node, out, [this](const yaml::Node& item, std::string& text) { string(item, text); });
}

void Decoder::word(const yaml::Node& node, std::string& out) {
  string(node, out);
  if (error_) return;
  if (out.empty() || !std::all_of(out.begin(), out.end(), is_word_char) ||
      out.find("..") != std::string::npos) {
    refuse(node.at, text::cat({text::quote(out, 60), " is not a name"}), "use letters, digits and - _ . /");
  }
}

void Decoder::words(const yaml::Node& node, std::vector<std::string>& out) {
  out.clear();
  each(node, out, [this](const yaml::Node& item, std::string& text) { word(item, text); });
}

void Decoder::number(const yaml::Node& node, std::uint32_t& out, std::uint32_t max) {
  if (error_) return;
  const auto value =
      node.kind == yaml::Node::Kind::scalar && node.plain ? text::parse_u64(node.text) : std::nullopt;
  if (!value) return refuse(node.at, "expected a whole number");
  if (*value > max) return refuse(node.at, text::cat({"must not be above ", text::number(max)}));
  out = static_cast<std::uint32_t>(*value);
}

void Decoder::boolean(const yaml::Node& node, bool& out) {
  if (error_) return;
  const bool is_bool =
      node.kind == yaml::Node::Kind::scalar && node.plain && (node.text == "true" || node.text == "false");
  if (!is_bool) return refuse(node.at, "expected true or false");
  out = node.text == "true";
}

void Decoder::bytes(const yaml::Node& node, Bytes& out) {
  std::string text;
  string(node, text);
  if (error_) return;
  // "MiB" alone is one of them.
  const bool has_number = !text.empty() && text.front() >= '0' && text.front() <= '9';
  const auto value = parse_bytes(has_number ? text : "1" + text);
  if (!value || value->value == 0) {
    return refuse(node.at, text::cat({text::quote(text, 60), " is not an amount of memory"}),
                  "write MiB or 256MiB");
  }
  out = *value;
}

void Decoder::env_name(const yaml::Node& node, std::string& out) {
  string(node, out);
  if (error_) return;
  if (out.empty() || !std::all_of(out.begin(), out.end(), is_env_char)) {
    return refuse(node.at, text::cat({text::quote(out, 60), " is not the name of a variable"}));
  }
  if (out.starts_with("LD_")) refuse(node.at, "variables of the loader are not set or read by recipes");
}

void Decoder::value_type(const yaml::Node& node, ValueType& out) {
  choice<ValueType>(node, out,
                    {{"number", ValueType::number},
                     {"integer", ValueType::integer},
                     {"version", ValueType::version},
                     {"bdf", ValueType::bdf},
                     {"uuid", ValueType::uuid},
                     {"hex", ValueType::hex},
                     {"text", ValueType::text}});
}

void Decoder::templates(const yaml::Node& node, std::vector<std::string>& out, const Scope& scope, Use use) {
  out.clear();
  each(node, out, [&](const yaml::Node& item, std::string& text) { template_text(item, text, scope, use); });
}

void Decoder::template_text(const yaml::Node& node, std::string& out, const Scope& scope, Use use) {
  string(node, out);
  if (error_) return;
  const auto uses = variables_in(out);
  if (!uses) return refuse(inside(node, uses.error()), "'$' must begin a variable, as in ${dev.index}");
  for (const auto& variable : *uses) {
    const auto known = scope.find(variable.name);
    if (known == scope.end()) {
      if (variable.name.starts_with("env.")) {
        return refuse(inside(node, variable.offset),
                      "a container's variable must not become part of an edit");
      }
      std::vector<std::string_view> names;
      for (const auto& [name, type] : scope) names.push_back(name);
      return unknown(inside(node, variable.offset), "variable", variable.name, names);
    }
    if (known->second == ValueType::text && use != Use::text) {
      return refuse(inside(node, variable.offset),
                    text::cat({"free text must not become part of a path: ", text::quote(variable.name)}));
    }
    const bool is_root = variable.name.starts_with("root.");
    if (is_root && (use != Use::host_path || variable.offset != 0)) {
      return refuse(inside(node, variable.offset), "a root can only begin a path of the host");
    }
  }
  const std::string shape = with_placeholders(out, *uses);
  std::string_view why;
  switch (use) {
    case Use::text:
      return;
    case Use::name:
      if (shape.empty() || !std::all_of(shape.begin(), shape.end(), is_env_char))
        why = "is not the name of a variable";
      if (shape.starts_with("LD_")) why = "belongs to the loader";
      break;
    case Use::host_path:
      why = uses->empty() || !uses->front().name.starts_with("root.") || uses->front().offset != 0
                ? "must begin with ${root.…}"
                : malformed_path(shape.substr(1));
      break;
    case Use::rooted_path:
      why = forbidden_host_path(shape);
      break;
    case Use::container_path:
      why = forbidden_container_path(shape);
      break;
    case Use::directory:
      why = malformed_path(shape);
      break;
    case Use::relative_path:
      if (shape.starts_with("/")) why = "must be relative";
      if (shape.find("..") != std::string::npos) why = "must not have '..'";
      break;
  }
  if (!why.empty()) refuse(node.at, text::cat({text::quote(out), " ", why}));
}

void Decoder::condition(const yaml::Node& node, Condition& out, const Scope& scope) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::scalar || node.text.empty())
    return refuse(node.at, "expected a condition");
  auto parsed = parse_condition(node.text);
  if (!parsed)
    return refuse(inside(node, parsed.error().offset), text::cat({"condition: ", parsed.error().cause}));
  out = std::move(*parsed);
  condition_words(node, out, scope);
}

void Decoder::condition_words(const yaml::Node& node, const Condition& condition, const Scope& scope) {
  const auto check = [&](const std::vector<std::string>& used, const std::vector<std::string>& known,
                         std::string_view what) {
    for (const auto& name : used) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      unknown(inside(node, node.text.find(name)), what, name, {known.begin(), known.end()});
    }
  };
  check(condition.names(Condition::Op::capability), known_capabilities_, "capability");
  check(condition.names(Condition::Op::gate), known_gates_, "gate");
  std::vector<std::string> variables;
  for (const auto& [name, type] : scope) variables.push_back(name);
  check(condition.variables(), variables, "variable");
}

}  // namespace hami::vendors
