// A parsed config.json, edited in place: members we do not know, their order and the spelling of numbers
// survive.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"

struct json_object;  // json-c; its header stays behind json_access.h

namespace hami::oci {

struct JsonPut {
  void operator()(json_object* object) const noexcept;
};
using JsonPtr = std::unique_ptr<json_object, JsonPut>;  // owns one reference
using JsonRef = json_object*;                           // borrowed, never put

// Limits of what we read: above any real bundle, below what could hurt us.
inline constexpr std::size_t kMaxDocumentBytes = 64U << 20U;
inline constexpr int kMaxDocumentDepth = 512;

// One OCI document (config.json, state, seccomp profile): an object at the top.
// Source: runtime-spec 1.2, config.md; the behaviour of runc and crun on odd JSON.
class Document {
 public:
  // Fails with invalid_spec, naming line and column, on: syntax errors, anything but an object at the top,
  // text after it, invalid UTF-8, a BOM, nesting deeper than kMaxDocumentDepth, duplicate member names (runc
  // and crun disagree on which one counts) or names with a NUL, integers that do not fit 64 bits.
  [[nodiscard]] static Result<Document> parse(std::string_view text);

  // Compact JSON; integers and doubles as they were spelled, members in their order, '/' not escaped. Parsing
  // it gives the same text again.
  [[nodiscard]] std::string serialize() const;

  [[nodiscard]] JsonRef root() const noexcept { return root_.get(); }

 private:
  explicit Document(JsonPtr root) noexcept : root_(std::move(root)) {}
  JsonPtr root_;
};

}  // namespace hami::oci
