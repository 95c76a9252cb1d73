// Units that must not be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

// An amount of memory.
struct Bytes {
  std::uint64_t value = 0;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
  static constexpr Bytes mib(std::uint64_t n) { return Bytes{n * kMiB}; }
  [[nodiscard]] constexpr std::uint64_t whole_mib() const { return value / kMiB; }
};

// A share of one device's compute, 0 to 100; 0 means that no share was asked for.
struct Percent {
  std::uint32_t value = 0;
  friend auto operator<=>(const Percent&, const Percent&) = default;
};

// An amount with a unit: decimal digits, optional fraction, optional unit k m g t with optional i, iB or B,
// any case, all binary; surrounding blanks allowed. "12GiB", "3000m", "1.5g". Everything else is an error: a
// limit that cannot be read must never mean "no limit". Fails with invalid_request. Source: the spellings
// HAMi's device plugin and HAMi-core's users write (CUDA_DEVICE_MEMORY_LIMIT).
[[nodiscard]] Result<Bytes> parse_bytes(std::string_view value);

// "3000MiB", or bytes when it is not a whole number of MiB.
[[nodiscard]] std::string to_text(Bytes bytes);

}  // namespace hami
