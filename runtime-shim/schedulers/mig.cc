#include "runtime-shim/schedulers/mig.h"

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

struct Suffix {
  std::string_view uuid;
  std::string_view first;
  std::string_view second;
};

tl::unexpected<Error> bad_suffix(std::string_view uuid, std::string_view why) {
  return fail(Errc::invalid_request, text::cat({"device ", text::quote(uuid, 100), ": ", why}));
}

Result<Suffix> split_suffix(std::string_view uuid) {
  const auto open = uuid.find('[');
  if (open == std::string_view::npos) return bad_suffix(uuid, "no '['");
  const auto close = uuid.find(']', open);
  if (close == std::string_view::npos) return bad_suffix(uuid, "no ']'");
  const auto parts = text::split(uuid.substr(open + 1, close - open - 1), '-');
  if (parts.size() < 2) return bad_suffix(uuid, "no '-' between the brackets");
  return Suffix{uuid.substr(0, open), parts[0], parts[1]};
}

Result<std::uint32_t> number(std::string_view uuid, std::string_view text, std::string_view what) {
  const auto value = text::parse_u64(text);
  if (value && *value <= UINT32_MAX) return static_cast<std::uint32_t>(*value);
  return bad_suffix(uuid, text::cat({what, " is not a number"}));
}

}  // namespace

Result<MigSlot> parse_mig_slot(std::string_view uuid) {
  HAMI_TRY(const Suffix suffix, split_suffix(uuid));
  HAMI_TRY(const auto index, number(uuid, suffix.first, "the template's index"));
  HAMI_TRY(const auto slot, number(uuid, suffix.second, "the slot"));
  return MigSlot{std::string(suffix.uuid), index, slot};
}

Result<VolcanoMigSlot> parse_volcano_mig_slot(std::string_view uuid) {
  HAMI_TRY(const Suffix suffix, split_suffix(uuid));
  HAMI_TRY(const auto position, number(uuid, suffix.second, "the position"));
  return VolcanoMigSlot{std::string(suffix.uuid), std::string(suffix.first), position};
}

std::string encode_mig_slot(const MigSlot& slot) {
  return text::cat({slot.uuid, "[", text::number(slot.template_index), "-", text::number(slot.slot), "]"});
}

std::string encode_volcano_mig_slot(const VolcanoMigSlot& slot) {
  return text::cat({slot.uuid, "[", slot.group, "-", text::number(slot.position), "]"});
}

std::string_view card_uuid(std::string_view uuid) { return uuid.substr(0, uuid.find('[')); }

}  // namespace hami::schedulers
