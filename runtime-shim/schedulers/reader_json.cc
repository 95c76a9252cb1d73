#include <json-c/json.h>

#include <algorithm>

#include "oci-config/base/json_scan.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"

namespace hami::schedulers {

namespace {

constexpr int kMaxDepth = 32;

std::string shown(json_object* value) { return text::quote(written(value), 80); }

// "<what>: <message>", or the message alone where the caller names the annotation.
tl::unexpected<Error> bad(std::string_view what, std::string_view message) {
  return fail(Errc::invalid_request, text::cat({what, what.empty() ? "" : ": ", message}));
}

// The number behind `word` in a message of the scanner, "line 3, column 14: …".
std::size_t place_in(std::string_view message, std::string_view word) {
  const auto at = message.find(word);
  if (at == std::string_view::npos) return 1;
  const std::string_view rest = message.substr(at + word.size());
  return text::parse_u64(rest.substr(0, rest.find_first_of(",:"))).value_or(1);
}

// The scanner's message, with the place in `json` itself, which stood behind `added` bytes, and what is
// there.
std::string located(std::string_view message, std::string_view json, std::size_t added) {
  const std::size_t line = place_in(message, "line ");
  std::size_t column = place_in(message, "column ");
  if (line == 1) column -= std::min(column - 1, added);
  std::size_t start = 0;
  for (std::size_t i = 1; i < line; ++i) start = json.find('\n', start) + 1;
  const std::size_t at = std::min(start + column - 1, json.size());
  const std::string_view why = message.substr(std::min(message.find(": ") + 2, message.size()));
  return text::cat({"line ", text::number(line), ", column ", text::number(column), ": ", why, " at ",
                    at == json.size() ? "the end" : text::quote(json.substr(at), 40)});
}

json_object* member(json_object* object, const char* name) {
  json_object* value = nullptr;
  json_object_object_get_ex(object, name, &value);
  return value;
}

}  // namespace

void JsonPut::operator()(json_object* object) const noexcept { json_object_put(object); }

bool JsonReader::has(const char* name) const { return member(object_, name) != nullptr; }

Result<std::string> JsonReader::text(const char* name) const {
  json_object* value = member(object_, name);
  if (!json_object_is_type(value, json_type_string)) return error(text::cat({"has no text ", name}));
  return std::string(json_object_get_string(value),
                     static_cast<std::size_t>(json_object_get_string_len(value)));
}

Result<std::uint32_t> JsonReader::number(const char* name) const {
  json_object* value = member(object_, name);
  const bool integer = json_object_is_type(value, json_type_int);
  const std::int64_t number = integer ? json_object_get_int64(value) : -1;
  if (number < 0 || number > UINT32_MAX) return error(text::cat({"has no number from 0 up as ", name}));
  return static_cast<std::uint32_t>(number);
}

Result<bool> JsonReader::boolean(const char* name) const {
  json_object* value = member(object_, name);
  if (!json_object_is_type(value, json_type_boolean))
    return error(text::cat({"has no true or false as ", name}));
  return json_object_get_boolean(value) != 0;
}

Result<JsonReader> JsonReader::object(const char* name) const {
  json_object* value = member(object_, name);
  if (!json_object_is_type(value, json_type_object)) return error(text::cat({"has no object ", name}));
  return JsonReader(value, text::cat({path_, ".", name}));
}

Result<std::vector<JsonReader>> JsonReader::array(const char* name) const {
  return array_of(member(object_, name), text::cat({path_, ".", name}));
}

std::string JsonReader::amount(const char* name) const {
  json_object* value = member(object_, name);
  return value == nullptr ? "" : json_object_get_string(value);
}

tl::unexpected<Error> JsonReader::error(std::string_view what) const {
  return fail(Errc::invalid_request, text::cat({path_, " ", what, " in ", shown(object_)}));
}

Result<JsonText> parse_json(std::string_view json, std::string_view what, std::size_t most) {
  if (json.size() > most) return bad(what, text::cat({"larger than ", text::number(most), " bytes"}));
  // The scanner reads objects; an array is looked at as the member of one.
  constexpr std::string_view kBefore = "{\"\":";
  const std::string wrapped = text::cat({kBefore, json, "}"});
  if (auto scanned = scan_json(wrapped, kMaxDepth); !scanned) {
    return bad(what, text::cat({"not JSON: ", located(scanned.error().message, json, kBefore.size())}));
  }
  json_tokener* tokener = json_tokener_new_ex(kMaxDepth + 1);
  JsonText parsed(json_tokener_parse_ex(tokener, json.data(), static_cast<int>(json.size())));
  json_tokener_free(tokener);
  if (parsed == nullptr) return bad(what, text::cat({"not an array or object: ", text::quote(json, 80)}));
  return parsed;
}

bool is_null(std::string_view json) { return text::trim(json) == "null"; }

Result<std::vector<json_object*>> elements_of(json_object* array, std::string_view what) {
  if (!json_object_is_type(array, json_type_array)) {
    return bad(what, text::cat({"not an array: ", shown(array)}));
  }
  std::vector<json_object*> out;
  for (std::size_t i = 0; i < json_object_array_length(array); ++i)
    out.push_back(json_object_array_get_idx(array, i));
  return out;
}

Result<std::vector<std::pair<std::string, json_object*>>> members_of(json_object* object,
                                                                     std::string_view what) {
  if (!json_object_is_type(object, json_type_object)) {
    return bad(what, text::cat({"not an object: ", shown(object)}));
  }
  std::vector<std::pair<std::string, json_object*>> out;
  json_object_object_foreach(object, name, value) out.emplace_back(name, value);
  return out;
}

Result<JsonReader> object_at(json_object* object, std::string path) {
  if (!json_object_is_type(object, json_type_object)) {
    return fail(Errc::invalid_request, text::cat({path, " is not an object: ", shown(object)}));
  }
  return JsonReader(object, std::move(path));
}

Result<std::vector<JsonReader>> array_of(json_object* array, std::string_view what) {
  HAMI_TRY(const auto elements, elements_of(array, what));
  std::vector<JsonReader> out;
  for (json_object* element : elements) {
    const std::string entry = text::cat({"entry ", text::number(out.size())});
    HAMI_TRY(auto reader, object_at(element, what.empty() ? entry : text::cat({what, ": ", entry})));
    out.push_back(std::move(reader));
  }
  return out;
}

}  // namespace hami::schedulers
