#include "vendors/recipe_tests.h"

#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

// Reads `tests` with the strictness of recipes.
class TestDecoder {
 public:
  explicit TestDecoder(std::string_view file) : decoder_(file) {}

  [[nodiscard]] const std::optional<Error>& error() const { return decoder_.error(); }

  void tests(const yaml::Node& node, RecipeTests& out) {
    decoder_.object(node, {{"node", [&](const auto& n) { test_node(n, out.node); }, required},
                           {"cases",
                            [&](const auto& n) {
                              for (const auto& item : n.children) test_case(item, out.cases.emplace_back());
                            },
                            required}});
  }

  void test_case(const yaml::Node& node, TestCase& out) {
    decoder_.object(node, {
                              {"name", [&](const auto& n) { decoder_.string(n, out.name); }},
                              {"before",
                               [&](const auto& n) {
                                 for (const auto& item : n.children) request(item, out.before.emplace_back());
                               }},
                              {"request", [&](const auto& n) { request(n, out.request); }, required},
                              {"gives", [&](const auto& n) { decoder_.strings(n, out.gives); }},
                              {"lacks", [&](const auto& n) { decoder_.strings(n, out.lacks); }},
                              {"fails", [&](const auto& n) { decoder_.string(n, out.fails); }},
                              {"nothing", [&](const auto& n) { decoder_.boolean(n, out.nothing); }},
                          });
  }

 private:
  void texts(const yaml::Node& node, std::map<std::string, std::string>& out) {
    if (node.kind != yaml::Node::Kind::map) return decoder_.refuse(node.at, "expected a map of texts");
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const auto& value = node.children[i];
      if (value.kind != yaml::Node::Kind::scalar) return decoder_.refuse(value.at, "expected a text");
      out[node.keys[i].text] = value.text;
    }
  }

  // A file of several lines is a list of them.
  void contents(const yaml::Node& node, std::map<std::string, std::string>& out) {
    if (node.kind != yaml::Node::Kind::map) return decoder_.refuse(node.at, "expected a map of texts");
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      std::vector<std::string> lines;
      if (node.children[i].kind == yaml::Node::Kind::scalar) {
        lines.push_back(node.children[i].text);
      } else {
        decoder_.strings(node.children[i], lines);
      }
      out[node.keys[i].text] = text::join(lines, "\n");
    }
  }

  void request(const yaml::Node& node, TestRequest& out) {
    decoder_.object(node, {{"env", [&](const auto& n) { texts(n, out.env); }},
                           {"annotations", [&](const auto& n) { texts(n, out.annotations); }},
                           {"privileged", [&](const auto& n) { decoder_.boolean(n, out.privileged); }}});
  }

  // Everything is below the node's own directory.
  void paths_below(const yaml::Node& node, const std::map<std::string, std::string>& entries) {
    for (const auto& [path, value] : entries) {
      if (!malformed_path("/" + path).empty())
        return decoder_.refuse(node.at, text::cat({text::quote(path), " is not a path below the node"}));
    }
  }

  void test_node(const yaml::Node& node, TestNode& out) {
    const auto map_of = [this](std::string_view key, std::map<std::string, std::string>& entries) {
      return Decoder::Field{key,
                            [this, &entries](const yaml::Node& n) {
                              texts(n, entries);
                              paths_below(n, entries);
                            },
                            optional};
    };
    decoder_.object(node, {{"repeat", [&](const auto& n) { decoder_.number(n, out.repeat, 64); }},
                           {"files",
                            [&](const auto& n) {
                              contents(n, out.files);
                              paths_below(n, out.files);
                            }},
                           map_of("links", out.links),
                           map_of("nodes", out.nodes),
                           {"directories", [&](const auto& n) { decoder_.strings(n, out.directories); }},
                           {"procDevices", [&](const auto& n) { decoder_.strings(n, out.proc_devices); }},
                           {"probe", [&](const auto& n) { decoder_.string(n, out.probe); }}});
  }

  Decoder decoder_;
};

}  // namespace

Result<RecipeTests> parse_recipe_tests(std::string_view yaml, std::string_view file_name) {
  HAMI_TRY(const auto tree, yaml::parse(yaml, file_name));
  RecipeTests tests;
  const auto* node = tree.find("tests");
  if (node == nullptr) return tests;
  TestDecoder decoder(file_name);
  decoder.tests(*node, tests);
  if (decoder.error()) return fail(*decoder.error());
  return tests;
}

Result<TestCase> parse_test_case(std::string_view yaml, std::string_view file_name) {
  HAMI_TRY(const auto tree, yaml::parse(yaml, file_name));
  TestCase result;
  TestDecoder decoder(file_name);
  decoder.test_case(tree, result);
  if (decoder.error()) return fail(*decoder.error());
  return result;
}

std::string numbered(std::string_view text, std::uint32_t n) {
  std::string out;
  while (!text.empty()) {
    const auto open = text.find("{n");
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) return out += text;
    out += text.substr(0, open);
    const auto inside = text.substr(open + 2, close - open - 2);
    const std::string number = text::number(n);
    if (inside.empty()) {
      out += number;
    } else if (inside == "n") {
      out += text::cat({number.size() < 2 ? "0" : "", number});
    } else if (const auto added = text::parse_u64(inside.substr(1)); inside.front() == '+' && added) {
      out += text::number(n + *added);
    } else {
      out += text.substr(open, close + 1 - open);
    }
    text.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace hami::vendors
