// A strict reader of JSON text: what it accepts means the same to every consumer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami {

// Hears of a document's parts in the order of the text. A member's value follows its name; everything between
// a begin and its end is inside it. Views live until the call returns.
class JsonEvents {
 public:
  JsonEvents() = default;
  JsonEvents(const JsonEvents&) = delete;
  JsonEvents& operator=(const JsonEvents&) = delete;

  virtual void begin_object() = 0;
  virtual void begin_array() = 0;
  virtual void end() = 0;
  // False when the innermost object has a member of this name already. The name has no NUL.
  [[nodiscard]] virtual bool name(const std::string& name) = 0;
  virtual void text(const std::string& value) = 0;
  // `negative` also for "-0".
  virtual void integer(bool negative, std::uint64_t magnitude) = 0;
  // A number with a fraction or an exponent, as it is spelled.
  virtual void real(const std::string& spelling) = 0;
  virtual void boolean(bool value) = 0;
  virtual void null() = 0;

 protected:
  ~JsonEvents() = default;
};

// Reads one JSON object by RFC 8259: valid UTF-8 without a byte order mark, nested at most `max_depth` deep,
// no member name twice in one object (after decoding escapes) and none with a NUL, no lone surrogate,
// integers that fit 64 bits. Fails with invalid_spec, naming the place: "line 3, column 14: duplicate member
// 'env'"; columns are counted in bytes. What was read before a failure has been told.
[[nodiscard]] Result<> read_json(std::string_view text, int max_depth, JsonEvents& events);

}  // namespace hami
