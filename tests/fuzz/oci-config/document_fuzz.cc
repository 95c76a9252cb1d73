// What the reader accepts, json-c's own reader must understand in the same way, and writing it must be
// stable.
#include <json-c/json.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci-config/base/json_scan.h"
#include "oci-config/document.h"
#include "oci-config/view.h"

using namespace hami;
using namespace hami::oci;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void agrees_with_json_c(std::string_view text, const Document& document) {
  json_tokener* tokener = json_tokener_new_ex(kMaxDocumentDepth + 1);
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
  const JsonPtr other(json_tokener_parse_ex(tokener, text.data(), static_cast<int>(text.size())));
  require(json_tokener_get_error(tokener) == json_tokener_success);
  json_tokener_free(tokener);
  require(json_object_equal(other.get(), document.root()) != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = Document::parse(text);
  require(document.has_value() == scan_json(text, kMaxDocumentDepth).has_value());
  if (!document) {
    require(document.error().code == Errc::invalid_spec && !document.error().message.empty());
    return 0;
  }
  agrees_with_json_c(text, *document);
  const std::string once = document->serialize();
  const auto again = Document::parse(once);
  require(again.has_value() && again->serialize() == once);
  const auto seen = view(*document);
  if (!seen) return 0;
  for (const auto& [name, value] : seen->env) {
    // What the view shows, the test on the raw text must not have missed.
    require(name.empty() || may_contain(text, {name}));
  }
  return 0;
}
