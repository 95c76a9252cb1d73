// Changes single members of a JSON text and leaves every other byte as it is: order, blanks, spelling of
// numbers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::containerd {

// Where a member stands in the text; [value_begin, value_end) is its value.
struct MemberSpan {
  std::string name;
  std::size_t begin = 0;  // of the name's quote
  std::size_t value_begin = 0;
  std::size_t value_end = 0;
};

// The members of the object whose '{' is at `object`. `text` must have passed scan_json.
[[nodiscard]] std::vector<MemberSpan> members(std::string_view text, std::size_t object);

// The member called `name`, if the object has it.
[[nodiscard]] std::optional<MemberSpan> find_member(std::string_view text, std::size_t object,
                                                    std::string_view name);

// `text` with `name` set to `value` (JSON) in the object at `object`: an existing value is replaced, a new
// member is appended in the object's own layout.
[[nodiscard]] std::string set_member(std::string_view text, std::size_t object, std::string_view name,
                                     std::string_view value);

// `text` without the member, and without the comma and line it took.
[[nodiscard]] std::string remove_member(std::string_view text, std::size_t object, std::string_view name);

}  // namespace hami::containerd
