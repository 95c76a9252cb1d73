// Typed steps into the JSON that schedulers put into annotations. Only for the *_json.cc files of this
// folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci-config/base/result.h"

struct json_object;

namespace hami::schedulers {

struct JsonPut {
  void operator()(json_object* object) const noexcept;
};
using JsonText = std::unique_ptr<json_object, JsonPut>;

// Reads the members of one object; `path` names it in messages ("hami.io/x: entry 2").
class JsonReader {
 public:
  JsonReader(json_object* object, std::string path) : object_(object), path_(std::move(path)) {}

  [[nodiscard]] bool has(const char* name) const;  // there, and not null
  // Each fails with invalid_request when the member is missing or of another type.
  [[nodiscard]] Result<std::string> text(const char* name) const;
  [[nodiscard]] Result<std::uint32_t> number(const char* name) const;
  [[nodiscard]] Result<bool> boolean(const char* name) const;
  [[nodiscard]] Result<JsonReader> object(const char* name) const;
  [[nodiscard]] Result<std::vector<JsonReader>> array(const char* name) const;
  // The member as it is written, a number or a text ("50", 50, "16Gi"); "" when it is missing.
  [[nodiscard]] std::string amount(const char* name) const;
  // The object itself, for members of several forms.
  [[nodiscard]] json_object* raw() const { return object_; }
  // "<path> <what> in '<the object>'".
  [[nodiscard]] tl::unexpected<Error> error(std::string_view what) const;

 private:
  json_object* object_;
  std::string path_;
};

inline constexpr std::size_t kMaxAnnotation = 1U << 20U;   // bytes
inline constexpr std::size_t kMaxCheckpoint = 32U << 20U;  // of a node with many Pods

// The value of an annotation; arrays and objects alike. `what` names it in messages, with "" the caller does.
// Fails with invalid_request, naming the place and what stands there, and on more than `most` bytes.
[[nodiscard]] Result<JsonText> parse_json(std::string_view json, std::string_view what,
                                          std::size_t most = kMaxAnnotation);

// "null" is what an encoder writes for a list that was never made: there is nothing.
[[nodiscard]] bool is_null(std::string_view json);

// Every element of an array of objects.
[[nodiscard]] Result<std::vector<JsonReader>> array_of(json_object* array, std::string_view what);

// Every element of an array, every member of an object (in its order), and an object to read. Null elements
// are there as null pointers.
[[nodiscard]] Result<std::vector<json_object*>> elements_of(json_object* array, std::string_view what);
[[nodiscard]] Result<std::vector<std::pair<std::string, json_object*>>> members_of(json_object* object,
                                                                                   std::string_view what);
[[nodiscard]] Result<JsonReader> object_at(json_object* object, std::string path);

}  // namespace hami::schedulers
