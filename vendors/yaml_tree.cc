#include "vendors/yaml_tree.h"

#include <yaml.h>

#include <algorithm>

#include "oci-config/base/text.h"

namespace hami::vendors::yaml {

namespace {

Position position(const yaml_mark_t& mark) { return {mark.line + 1, mark.column + 1}; }

// Owner of one libyaml event.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&raw_); }

  yaml_event_t* fill() {
    yaml_event_delete(&raw_);
    return &raw_;
  }
  [[nodiscard]] yaml_event_type_t type() const { return raw_.type; }
  [[nodiscard]] const yaml_event_t& raw() const { return raw_; }
  [[nodiscard]] Position at() const { return position(raw_.start_mark); }

 private:
  yaml_event_t raw_{};
};

const char* text_or_null(const yaml_char_t* text) { return reinterpret_cast<const char*>(text); }

// Events → tree. Keeps the first error.
class Builder {
 public:
  Builder(std::string_view text, std::string_view file) : file_(file) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    const char* data = text.data() != nullptr ? text.data() : "";  // libyaml asserts that there is one
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(data), text.size());
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  ~Builder() {
    if (ready_) yaml_parser_delete(&parser_);
  }

  Result<Node> run() {
    if (!ready_) return fail(Errc::internal, "parse YAML: no memory");
    HAMI_CHECK(next());  // stream start
    HAMI_CHECK(next());
    if (event_.type() != YAML_DOCUMENT_START_EVENT) return refuse("the file is empty");
    const auto& start = event_.raw().data.document_start;
    if (start.version_directive != nullptr || start.tag_directives.start != start.tag_directives.end)
      return refuse("directives are not allowed");
    HAMI_CHECK(next());
    HAMI_TRY(Node root, node(0));
    if (root.kind != Node::Kind::map) return fail(error_at(file_, root.at, "expected a map at the top"));
    HAMI_CHECK(next());  // document end
    HAMI_CHECK(next());
    if (event_.type() != YAML_STREAM_END_EVENT) return refuse("a second document is not allowed");
    return root;
  }

 private:
  tl::unexpected<Error> refuse(std::string_view cause) { return fail(error_at(file_, event_.at(), cause)); }

  Result<> next() {
    if (yaml_parser_parse(&parser_, event_.fill()) == 1) return {};
    const char* problem = parser_.problem != nullptr ? parser_.problem : "not YAML";
    // Errors of the character reader carry no mark; the scanner stands where it read last.
    const auto& mark = parser_.error == YAML_READER_ERROR ? parser_.mark : parser_.problem_mark;
    return fail(error_at(file_, position(mark), problem));
  }

  // The node that begins at the current event.
  Result<Node> node(int depth) {
    if (depth > kMaxDepth) return refuse("nested too deeply");
    if (++count_ > kMaxNodes) return refuse("too many values");
    const auto& raw = event_.raw();
    switch (event_.type()) {
      case YAML_SCALAR_EVENT:
        HAMI_CHECK(plain_only(raw.data.scalar.anchor, raw.data.scalar.tag));
        return scalar();
      case YAML_SEQUENCE_START_EVENT:
        HAMI_CHECK(plain_only(raw.data.sequence_start.anchor, raw.data.sequence_start.tag));
        return list(depth);
      case YAML_MAPPING_START_EVENT:
        HAMI_CHECK(plain_only(raw.data.mapping_start.anchor, raw.data.mapping_start.tag));
        return map(depth);
      case YAML_ALIAS_EVENT:
        return refuse("aliases are not allowed");
      default:
        return refuse("expected a value");
    }
  }

  Result<> plain_only(const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr)
      return refuse(text::cat({"anchors are not allowed: '&", text_or_null(anchor), "'"}));
    if (tag != nullptr) return refuse("tags are not allowed");
    return {};
  }

  Result<Node> scalar() {
    const auto& raw = event_.raw().data.scalar;
    if (raw.length > kMaxScalarBytes) return refuse("the text is too long");
    Node result;
    result.at = event_.at();
    result.text.assign(reinterpret_cast<const char*>(raw.value), raw.length);
    result.plain = raw.style == YAML_PLAIN_SCALAR_STYLE;
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(result.text.begin(), result.text.end(), is_control))
      return refuse("control characters and line breaks are not allowed in a text");
    return result;
  }

  Result<Node> list(int depth) {
    Node result;
    result.kind = Node::Kind::list;
    result.at = event_.at();
    while (true) {
      HAMI_CHECK(next());
      if (event_.type() == YAML_SEQUENCE_END_EVENT) return result;
      HAMI_TRY(Node item, node(depth + 1));
      result.children.push_back(std::move(item));
    }
  }

  Result<Node> map(int depth) {
    Node result;
    result.kind = Node::Kind::map;
    result.at = event_.at();
    while (true) {
      HAMI_CHECK(next());
      if (event_.type() == YAML_MAPPING_END_EVENT) return result;
      if (event_.type() != YAML_SCALAR_EVENT) return refuse("a key must be a text");
      if (result.keys.size() == kMaxKeys) return refuse("too many keys in one map");
      HAMI_TRY(Node key, node(depth + 1));
      if (key.text == "<<") return refuse("merge keys are not allowed");
      if (result.find(key.text) != nullptr) {
        return refuse(text::cat({"the key ", text::quote(key.text), " is there twice"}));
      }
      HAMI_CHECK(next());
      HAMI_TRY(Node value, node(depth + 1));
      result.keys.push_back({std::move(key.text), key.at});
      result.children.push_back(std::move(value));
    }
  }

  std::string_view file_;
  yaml_parser_t parser_{};
  bool ready_ = false;
  Event event_;
  std::size_t count_ = 0;
};

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return &children[i];
  }
  return nullptr;
}

Error error_at(std::string_view file, Position at, std::string_view cause, std::string hint) {
  return Error{Errc::invalid_config, 0,
               text::cat({file, ":", text::number(at.line), ":", text::number(at.column), ": ", cause}),
               std::move(hint)};
}

Result<Node> parse(std::string_view text, std::string_view file) {
  if (text.size() > kMaxBytes) return fail(error_at(file, {}, "larger than 1 MiB"));
  return Builder(text, file).run();
}

}  // namespace hami::vendors::yaml
