#include "runtime-shim/schedulers/companions.h"

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

tl::unexpected<Error> bad(std::size_t index, std::string_view part, std::string_view whole,
                          std::string_view what) {
  return fail(Errc::invalid_request, text::cat({"part ", text::number(index), ": ", text::quote(part, 60),
                                                " is not ", what, " in ", text::quote(whole, 80)}));
}

Result<std::uint32_t> number(std::string_view part, std::size_t index, std::string_view whole) {
  const auto value = text::parse_u64(part);
  if (!value || *value > UINT32_MAX) return bad(index, part, whole, "a plain number");
  return static_cast<std::uint32_t>(*value);
}

// All parts between the separators, which must be so many when `count` is not 0.
Result<std::vector<std::uint32_t>> numbers(std::string_view value, char separator, std::size_t count) {
  std::vector<std::uint32_t> out;
  const auto parts = text::split(value, separator);
  if (count != 0 && parts.size() != count) {
    return fail(Errc::invalid_request, text::cat({text::number(parts.size()), " parts instead of ",
                                                  text::number(count), " in ", text::quote(value, 80)}));
  }
  for (const std::string_view part : parts) {
    HAMI_TRY(const auto read, number(part, out.size(), value));
    out.push_back(read);
  }
  return out;
}

std::string joined(const std::vector<std::uint32_t>& values, std::string_view separator) {
  std::vector<std::string> parts;
  parts.reserve(values.size());
  for (const std::uint32_t value : values) parts.push_back(text::number(value));
  return text::join(parts, separator);
}

}  // namespace

Result<std::vector<std::uint32_t>> parse_numbers(std::string_view list) { return numbers(list, ',', 0); }

std::string encode_numbers(const std::vector<std::uint32_t>& values) { return joined(values, ","); }

Result<NpuCore> parse_npu_core(std::string_view value) {
  NpuCore out;
  const auto dash = value.find('-');
  HAMI_TRY(out.minors, parse_numbers(value.substr(0, dash)));
  if (dash == std::string_view::npos) return out;
  out.cut = value.substr(dash + 1);
  if (out.minors.size() != 1) return bad(0, value.substr(0, dash), value, "one card, as a template needs");
  if (out.cut.empty()) return bad(1, out.cut, value, "a template");
  return out;
}

std::string encode_npu_core(const NpuCore& cards) {
  return text::cat({encode_numbers(cards.minors), cards.cut.empty() ? "" : "-", cards.cut});
}

Result<std::vector<std::uint32_t>> parse_ascend_names(std::string_view value, std::string_view chip) {
  std::vector<std::uint32_t> out;
  const std::string prefix = text::cat({chip, "-"});
  for (const std::string_view part : text::split(value, ',')) {
    if (!part.starts_with(prefix)) return bad(out.size(), part, value, text::cat({prefix, "<number>"}));
    HAMI_TRY(const auto minor, number(part.substr(prefix.size()), out.size(), value));
    out.push_back(minor);
  }
  return out;
}

std::string encode_ascend_names(const std::vector<std::uint32_t>& minors, std::string_view chip) {
  std::vector<std::string> parts;
  parts.reserve(minors.size());
  for (const std::uint32_t minor : minors) parts.push_back(text::cat({chip, "-", text::number(minor)}));
  return text::join(parts, ",");
}

Result<MluProfile> parse_mlu_profile(std::string_view value) {
  HAMI_TRY(const auto parts, numbers(value, '_', 3));
  return MluProfile{parts[0], parts[1], parts[2]};
}

std::string encode_mlu_profile(const MluProfile& profile) {
  return joined({profile.card, profile.cores, profile.blocks}, "_");
}

Result<MluInstance> parse_mlu_instance(std::string_view value) {
  HAMI_TRY(const auto parts, numbers(value, '_', 4));
  return MluInstance{parts[0], parts[1], parts[2], parts[3]};
}

std::string encode_mlu_instance(const MluInstance& instance) {
  return joined({instance.profile, instance.handle, instance.slot, instance.instance}, "_");
}

}  // namespace hami::schedulers
