#include "oci-config/document.h"

#include <json-c/json.h>

#include "oci-config/base/text.h"
#include "oci-config/json_access.h"
#include "oci-config/json_tree.h"

namespace hami::oci {

void JsonPut::operator()(json_object* object) const noexcept { json_object_put(object); }

Result<Document> Document::parse(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) {
    return fail(Errc::invalid_spec,
                text::cat({text::number(text.size()), " bytes, more than the ",
                           text::number(kMaxDocumentBytes), " that are read"}),
                "make the document smaller");
  }
  HAMI_TRY(JsonPtr root, read_tree(text, kMaxDocumentDepth));
  return Document(std::move(root));
}

std::string Document::serialize() const {
  std::size_t size = 0;
  const char* text = json_object_to_json_string_length(
      root_.get(), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
  end_if_out_of_memory(text == nullptr);
  return {text, size};
}

}  // namespace hami::oci
