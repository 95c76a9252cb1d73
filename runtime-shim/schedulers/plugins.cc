#include "runtime-shim/schedulers/plugins.h"

#include <algorithm>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

std::optional<std::uint32_t> parse_u32(std::string_view text) {
  const auto number = text::parse_u64(text);
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Letters, digits and some of `inner`, with a letter or digit at both ends.
bool is_word(std::string_view word, std::string_view inner) {
  if (word.empty() || !is_alnum(word.front()) || !is_alnum(word.back())) return false;
  return std::all_of(word.begin(), word.end(),
                     [&](char c) { return is_alnum(c) || inner.find(c) != std::string_view::npos; });
}

Result<CdiName> parse_cdi_name(std::string_view text, std::size_t index) {
  const auto equals = text.find('=');
  const auto slash = text.find('/');
  const bool parts = equals != std::string_view::npos && slash != std::string_view::npos && slash < equals;
  if (parts) {
    const std::string_view vendor = text.substr(0, slash);
    const std::string_view device_class = text.substr(slash + 1, equals - slash - 1);
    const std::string_view name = text.substr(equals + 1);
    if (is_word(vendor, "_-.") && is_word(device_class, "_-.") && is_word(name, "_-.:"))
      return CdiName{std::string(vendor), std::string(device_class), std::string(name)};
  }
  return fail(Errc::invalid_request, text::cat({"CDI name ", text::number(index), ": ",
                                                text::quote(text, 100), " is not vendor/class=name"}));
}

// Hundredths of a whole, rounded up; what is left of a third decimal counts as one more.
Result<std::uint64_t> hundredths(std::string_view text) {
  const auto bad = [&] {
    return fail(Errc::invalid_request, text::cat({"annotation 'gpu-fraction': ", text::quote(text, 40),
                                                  " is not a number above 0 and up to 1"}));
  };
  const auto point = text.find('.');
  const auto whole = text::parse_u64(text.substr(0, point));
  const std::string_view digits = point == std::string_view::npos ? "" : text.substr(point + 1);
  const bool plain = std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!whole || *whole > 1 || !plain || (point != std::string_view::npos && digits.empty())) return bad();
  std::uint64_t value = *whole * 100;
  if (!digits.empty()) value += static_cast<std::uint64_t>(digits[0] - '0') * 10;
  if (digits.size() > 1) value += static_cast<std::uint64_t>(digits[1] - '0');
  if (digits.size() > 2 && digits.find_first_not_of('0', 2) != std::string_view::npos) ++value;
  if (value == 0 || value > 100) return bad();
  return value;
}

}  // namespace

KubeletDevice parse_kubelet_device(std::string_view id, bool split) {
  if (const auto colons = id.find("::"); colons != std::string_view::npos) {
    if (const auto replica = parse_u32(id.substr(colons + 2)))
      return {std::string(id.substr(0, colons)), replica};
  }
  const auto dash = split ? id.rfind('-') : std::string_view::npos;
  if (dash != std::string_view::npos) {
    if (const auto replica = parse_u32(id.substr(dash + 1)))
      return {std::string(id.substr(0, dash)), replica};
  }
  return {std::string(id), std::nullopt};
}

std::string encode_kubelet_device(const KubeletDevice& device, bool split) {
  if (!device.replica) return device.uuid;
  return text::cat({device.uuid, split ? "-" : "::", text::number(*device.replica)});
}

Result<std::vector<CdiName>> parse_cdi_names(std::string_view list) {
  std::vector<CdiName> out;
  for (const std::string_view name : text::split(list, ',')) {
    HAMI_TRY(auto parsed, parse_cdi_name(text::trim(name), out.size()));
    out.push_back(std::move(parsed));
  }
  return out;
}

std::string encode_cdi_names(const std::vector<CdiName>& names) {
  std::vector<std::string> parts;
  parts.reserve(names.size());
  for (const CdiName& name : names)
    parts.push_back(text::cat({name.vendor, "/", name.device_class, "=", name.name}));
  return text::join(parts, ",");
}

Result<MpsShare> mps_share(Bytes card, std::uint32_t replicas, std::uint32_t most_clients) {
  if (replicas == 0 || replicas > most_clients) {
    return fail(Errc::invalid_request,
                text::cat({text::number(replicas), " clients cannot share a card by MPS"}),
                text::cat({"use 1 to ", text::number(most_clients)}));
  }
  return MpsShare{Bytes::mib(card.whole_mib() / replicas), Percent{100 / replicas}};
}

std::string encode_mps_memory(Bytes memory) { return text::cat({text::number(memory.whole_mib()), "M"}); }

Result<Bytes> kai_memory(std::string_view gpu_memory, Bytes card) {
  const auto mib = text::parse_u64(gpu_memory);
  if (!mib || *mib == 0 || *mib > card.whole_mib()) {
    return fail(Errc::invalid_request,
                text::cat({"annotation 'gpu-memory': ", text::quote(gpu_memory, 40),
                           " is not a number of MiB from 1 to ", text::number(card.whole_mib())}));
  }
  const std::uint64_t percent = (*mib * 100 + card.whole_mib() - 1) / card.whole_mib();
  return Bytes::mib(card.whole_mib() * percent / 100);
}

Result<Bytes> kai_fraction(std::string_view gpu_fraction, Bytes card) {
  HAMI_TRY(const auto percent, hundredths(gpu_fraction));
  return Bytes::mib(card.whole_mib() * percent / 100);
}

}  // namespace hami::schedulers
