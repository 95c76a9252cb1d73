// How the values of a request are read and put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/text.h"
#include "runtime-shim/request/request.h"

namespace hami::shim {

// A value as it was written, with its place.
using Word = Stated<std::string>;

// A plain decimal number from `least` to `most`; `unit` ("MiB") and `example` ("3000") are for the message.
[[nodiscard]] Result<std::uint64_t> parse_number(const Word& word, std::uint64_t least, std::uint64_t most,
                                                 std::string_view unit, std::string_view example);

// true/false, 1/0, yes/no, on/off in any case.
[[nodiscard]] Result<bool> parse_flag(const Word& word);

// What Go's ParseBool calls true; everything else is false. HAMi's device plugin reads CUDA_DISABLE_CONTROL
// so.
[[nodiscard]] bool is_go_true(std::string_view text);

// "a, b": trimmed members, empty ones left out.
[[nodiscard]] Names parse_names(std::string_view text);

// Two places that say different things.
[[nodiscard]] tl::unexpected<Error> disagreement(std::string_view one, std::string_view other,
                                                 std::string_view about);

// Puts a value into a slot of the request. The first source wins; a later one must agree with it.
template <typename T>
Result<> put(std::optional<Stated<T>>& slot, T value, const std::string& origin, std::string_view about) {
  if (!slot) {
    slot = Stated<T>{std::move(value), origin};
    return {};
  }
  if (slot->value == value) return {};
  return disagreement(slot->origin, origin, about);
}

// Seconds for which a request waits for a card that is full, up to an hour.
[[nodiscard]] Result<> take_memory_wait(const Word& word, VendorRequest& out);

}  // namespace hami::shim
