#include <json-c/json.h>

#include "oci-config/base/json_scan.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"

namespace hami::schedulers {

namespace {

constexpr int kMaxDepth = 32;

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
  return fail(Errc::invalid_request, text::cat({path_, " ", what}));
}

Result<JsonText> parse_json(std::string_view json, std::string_view what, std::size_t most) {
  if (json.size() > most)
    return fail(Errc::invalid_request, text::cat({what, ": larger than ", text::number(most), " bytes"}));
  // The scanner reads objects; an array is looked at as the member of one.
  const std::string wrapped = text::cat({"{\"\":", json, "}"});
  if (auto scanned = scan_json(wrapped, kMaxDepth); !scanned) {
    return fail(Errc::invalid_request, text::cat({what, ": not JSON: ", scanned.error().message}));
  }
  json_tokener* tokener = json_tokener_new_ex(kMaxDepth + 1);
  JsonText parsed(json_tokener_parse_ex(tokener, json.data(), static_cast<int>(json.size())));
  json_tokener_free(tokener);
  if (parsed == nullptr) return fail(Errc::invalid_request, text::cat({what, ": not an array or object"}));
  return parsed;
}

Result<std::vector<JsonReader>> array_of(json_object* array, std::string_view what) {
  if (!json_object_is_type(array, json_type_array)) {
    return fail(Errc::invalid_request, text::cat({what, ": not an array"}));
  }
  std::vector<JsonReader> out;
  for (std::size_t i = 0; i < json_object_array_length(array); ++i) {
    json_object* entry = json_object_array_get_idx(array, i);
    const std::string path = text::cat({what, ": entry ", text::number(i)});
    if (!json_object_is_type(entry, json_type_object))
      return fail(Errc::invalid_request, path + " is not an object");
    out.emplace_back(entry, path);
  }
  return out;
}

}  // namespace hami::schedulers
