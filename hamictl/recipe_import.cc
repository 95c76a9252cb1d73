#include "hamictl/recipe_import.h"

#include <algorithm>
#include <map>
#include <vector>

#include "oci-config/base/text.h"
#include "vendors/yaml_tree.h"

namespace hami::hamictl {

namespace {

using vendors::yaml::Node;

// What the amount of a resource is about.
enum class Quantity { count, memory, memory_percentage, cores, priority };

struct Definition {
  std::string key;
  std::string description;
  std::string unit;
  Quantity quantity = Quantity::count;
};

std::string member(const Node& data, std::string_view name) {
  const Node* value = data.find(name);
  return value != nullptr && value->kind == Node::Kind::scalar ? value->text : std::string{};
}

// Kubernetes' qualified name: a domain, '/', and the name, of letters, digits, '-', '_' and '.'.
bool is_resource_name(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == key.size()) return false;
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return std::all_of(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(slash), is_plain) &&
         std::all_of(key.begin() + static_cast<std::ptrdiff_t>(slash) + 1, key.end(), is_plain);
}

// In a comment: line feeds are refused before, but a YAML reader ends a line at these too.
std::string one_line(std::string text) {
  for (const std::string_view line_break : {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    for (auto at = text.find(line_break); at != std::string::npos; at = text.find(line_break, at))
      text.replace(at, line_break.size(), " ");
  }
  return text;
}

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

Quantity quantity_of(std::string_view key, std::string_view unit) {
  const auto slash = key.find('/');
  const std::string name = text::lower(slash == std::string_view::npos ? key : key.substr(slash + 1));
  if (mentions(name, {"percent"})) return Quantity::memory_percentage;
  if (mentions(name, {"mem"})) return Quantity::memory;
  if (mentions(name, {"core"})) return Quantity::cores;
  if (mentions(name, {"priority"})) return Quantity::priority;
  return mentions(unit, {"Mi", "Gi"}) ? Quantity::memory : Quantity::count;
}

// Documents of a YAML stream.
std::vector<std::string> documents(std::string_view text) {
  std::vector<std::string> out(1);
  for (const auto line : text::split(text, '\n')) {
    if (line == "---") {
      out.emplace_back();
    } else {
      out.back() += text::cat({line, "\n"});
    }
  }
  std::erase_if(out, [](const std::string& document) { return text::trim(document).empty(); });
  return out;
}

Result<Definition> definition_in(const std::string& document, std::string_view file_name) {
  HAMI_TRY(const auto tree, vendors::yaml::parse(document, file_name));
  const Node* data = tree.find("data");
  if (data == nullptr) data = &tree;
  Definition out;
  out.key = member(*data, "key");
  if (!is_resource_name(out.key))
    return fail(vendors::yaml::error_at(file_name, data->at, "the key 'key' is missing or no resource name",
                                        "write, for example, key: example.com/card"));
  const std::string type = member(*data, "dataType");
  if (!type.empty() && type != "integer" && type != "int") {
    return fail(vendors::yaml::error_at(
        file_name, data->at, text::cat({text::quote(out.key), " has the dataType ", text::quote(type)}),
        "a recipe's resources are whole numbers"));
  }
  out.unit = member(*data, "resourceUnit");
  out.description = member(*data, "descriptionEn");
  if (out.description.empty()) out.description = member(*data, "labelEn");
  const std::string standard = member(*data, "defaultValue");
  if (!standard.empty())
    out.description += text::cat({out.description.empty() ? "" : "; ", "default ", standard});
  out.description = one_line(std::move(out.description));
  out.quantity = quantity_of(out.key, out.unit);
  return out;
}

std::string unit_text(const std::string& unit) {
  if (mentions(unit, {"Gi", "G"})) return "GiB";
  return "MiB";
}

std::string section(const Definition& one) {
  switch (one.quantity) {
    case Quantity::count:
      return text::cat({"  count: ", one.key, "\n"});
    case Quantity::memory:
      return text::cat({"  memory: {name: ", one.key, ", unit: ", unit_text(one.unit), "}\n"});
    case Quantity::memory_percentage:
      return text::cat({"  memoryPercentage: ", one.key, "\n"});
    case Quantity::cores:
      return text::cat({"  cores: {name: ", one.key, ", whole: 100}\n"});
    case Quantity::priority:
      return text::cat({"  priority: ", one.key, "\n"});
  }
  return {};
}

}  // namespace

Result<std::string> import_resources(std::string_view text, std::string_view file_name,
                                     std::string_view recipe) {
  std::map<Quantity, Definition> found;
  for (const auto& document : documents(text)) {
    HAMI_TRY(auto one, definition_in(document, file_name));
    const auto [same, added] = found.emplace(one.quantity, one);
    if (!added) {
      return fail(Errc::invalid_config,
                  text::cat({file_name, ": ", text::quote(same->second.key), " and ", text::quote(one.key),
                             " both seem to be the same quantity"}),
                  "import them one by one and choose");
    }
  }
  if (found.empty()) return fail(Errc::invalid_config, text::cat({file_name, ": there is no definition"}));
  std::string out =
      text::cat({"apiVersion: hami.io/recipe/v1\nkind: Overlay\nextends: ", recipe, "\nresources:\n"});
  for (const auto& [quantity, one] : found) {
    if (!one.description.empty()) out += text::cat({"  # ", one.description, "\n"});
    out += section(one);
  }
  return out;
}

}  // namespace hami::hamictl
