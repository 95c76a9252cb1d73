#include "runtime-shim/schedulers/pod_json.h"

#include <json-c/json.h>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kAnnotations = "metadata.annotations";

Result<Annotations> read_texts(json_object* object, std::string_view what) {
  HAMI_TRY(const auto members, members_of(object, what));
  Annotations out;
  for (const auto& [key, value] : members) {
    if (!json_object_is_type(value, json_type_string)) {
      return fail(
          Errc::invalid_request,
          text::cat({what, what.empty() ? "" : ": ", "the value of ", text::quote(key, 80), " is no text"}),
          "give the JSON of a Pod, or an object with annotations");
    }
    out.emplace(key, std::string(json_object_get_string(value),
                                 static_cast<std::size_t>(json_object_get_string_len(value))));
  }
  return out;
}

}  // namespace

Result<Annotations> parse_annotations(std::string_view json) {
  HAMI_TRY(const JsonText parsed, parse_json(json, "", kMaxPod));
  json_object* metadata = nullptr;
  const bool is_object = json_object_is_type(parsed.get(), json_type_object);
  const bool is_pod = is_object && json_object_object_get_ex(parsed.get(), "metadata", &metadata) != 0 &&
                      json_object_is_type(metadata, json_type_object);
  if (!is_pod) return read_texts(parsed.get(), "");
  json_object* annotations = nullptr;
  if (json_object_object_get_ex(metadata, "annotations", &annotations) == 0 || annotations == nullptr)
    return Annotations{};
  return read_texts(annotations, kAnnotations);
}

std::string encode_annotations(const Annotations& annotations) {
  std::string out = "{";
  for (const auto& [key, value] : annotations)
    out += text::cat({out.size() == 1 ? "\n" : ",\n", "  ", json_string(key), ": ", json_string(value)});
  return out + (annotations.empty() ? "}\n" : "\n}\n");
}

}  // namespace hami::schedulers
