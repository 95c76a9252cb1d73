#include "oci-config/document.h"

#include <json-c/json.h>

#include "oci-config/base/json_scan.h"
#include "oci-config/base/text.h"

namespace hami::oci {

namespace {

struct TokenerFree {
  void operator()(json_tokener* tokener) const noexcept { json_tokener_free(tokener); }
};

}  // namespace

void JsonPut::operator()(json_object* object) const noexcept { json_object_put(object); }

Result<Document> Document::parse(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) {
    return fail(Errc::invalid_spec, text::cat({"larger than ", text::number(kMaxDocumentBytes), " bytes"}));
  }
  HAMI_CHECK(scan_json(text, kMaxDocumentDepth));
  // json-c counts one level more than there are brackets.
  const std::unique_ptr<json_tokener, TokenerFree> tokener(json_tokener_new_ex(kMaxDocumentDepth + 1));
  if (tokener == nullptr) return fail(Errc::internal, "out of memory");
  json_tokener_set_flags(tokener.get(), JSON_TOKENER_STRICT);
  JsonPtr root(json_tokener_parse_ex(tokener.get(), text.data(), static_cast<int>(text.size())));
  const json_tokener_error error = json_tokener_get_error(tokener.get());
  if (root == nullptr || error != json_tokener_success) {
    return fail(Errc::invalid_spec, text::cat({"not readable as JSON: ", json_tokener_error_desc(error)}));
  }
  return Document(std::move(root));
}

std::string Document::serialize() const {
  std::size_t size = 0;
  const char* text = json_object_to_json_string_length(
      root_.get(), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
  return {text, size};
}

}  // namespace hami::oci
