#include "containerd/json_text.h"

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"

namespace hami::containerd {

namespace {

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
    ++at;
  return at;
}

// Behind the string whose quote is at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// Behind the value at `at`. The text is known to be well-formed, so brackets only have to be counted.
std::size_t skip_value(std::string_view text, std::size_t at) {
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    while (at < text.size() && std::string_view(",]} \t\r\n").find(text[at]) == std::string_view::npos) ++at;
    return at;
  }
  int depth = 0;
  do {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  } while (depth > 0 && at < text.size());
  return at;
}

// The blanks, with the line break, in front of `at`; empty when it follows something on its line.
std::string_view indentation(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t')) --begin;
  if (begin == 0 || text[begin - 1] != '\n') return {};
  --begin;
  if (begin > 0 && text[begin - 1] == '\r') --begin;
  return text.substr(begin, at - begin);
}

std::string spliced(std::string_view text, std::size_t begin, std::size_t end, std::string_view middle) {
  return text::cat({text.substr(0, begin), middle, text.substr(end)});
}

}  // namespace

std::vector<MemberSpan> members(std::string_view text, std::size_t object) {
  std::vector<MemberSpan> out;
  std::size_t at = skip_blanks(text, object + 1);
  while (at < text.size() && text[at] == '"') {
    MemberSpan span;
    span.begin = at;
    at = skip_string(text, at);
    span.name = std::string(text.substr(span.begin + 1, at - span.begin - 2));
    at = skip_blanks(text, at);
    span.value_begin = skip_blanks(text, at + 1);  // behind ':'
    span.value_end = skip_value(text, span.value_begin);
    at = skip_blanks(text, span.value_end);
    if (at < text.size() && text[at] == ',') at = skip_blanks(text, at + 1);
    out.push_back(std::move(span));
  }
  return out;
}

std::optional<MemberSpan> find_member(std::string_view text, std::size_t object, std::string_view name) {
  for (auto& span : members(text, object)) {
    if (span.name == name) return std::move(span);
  }
  return std::nullopt;
}

std::string set_member(std::string_view text, std::size_t object, std::string_view name,
                       std::string_view value) {
  if (const auto span = find_member(text, object, name)) {
    return spliced(text, span->value_begin, span->value_end, value);
  }
  const std::string member = text::cat({json_string(name), ": ", value});
  const auto existing = members(text, object);
  if (!existing.empty()) {
    const std::string_view own_line = indentation(text, existing.back().begin);
    const std::size_t end = existing.back().value_end;
    return spliced(text, end, end, text::cat({",", own_line.empty() ? " " : own_line, member}));
  }
  // An empty object: one level deeper than the line its '{' stands on.
  const std::size_t line =
      text.rfind('\n', object) == std::string_view::npos ? 0 : text.rfind('\n', object) + 1;
  const std::string_view outer = text.substr(line, skip_blanks(text, line) - line);
  const std::size_t close = skip_blanks(text, object + 1);
  return spliced(text, object + 1, close, text::cat({"\n", outer, "  ", member, "\n", outer}));
}

std::string remove_member(std::string_view text, std::size_t object, std::string_view name) {
  const auto all = members(text, object);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name != name) continue;
    if (i > 0) return spliced(text, all[i - 1].value_end, all[i].value_end, "");
    if (all.size() > 1) return spliced(text, all[0].begin, all[1].begin, "");
    return spliced(text, object + 1, skip_blanks(text, all[0].value_end), "");
  }
  return std::string(text);
}

}  // namespace hami::containerd
