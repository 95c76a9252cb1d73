#include "runtime-shim/schedulers/records.h"

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/number.h"

namespace hami::schedulers {

namespace {

tl::unexpected<Error> bad_record(std::size_t group, std::size_t record, std::string_view why,
                                 std::string_view text) {
  return fail(Errc::invalid_request,
              text::cat({"group ", text::number(group), ", record ", text::number(record), ": ", why, " in ",
                         text::quote(text, 80)}));
}

Result<DeviceRecord> decode_record(std::string_view piece, std::size_t group, std::size_t index) {
  const auto fields = text::split(piece, ',');
  if (fields.size() < 4) {
    return bad_record(group, index, text::cat({text::number(fields.size()), " fields instead of 4"}), piece);
  }
  const auto memory = parse_int32(fields[2]);
  if (!memory) return bad_record(group, index, text::cat({"bad memory ", text::quote(fields[2], 40)}), piece);
  const auto cores = parse_int32(fields[3]);
  if (!cores) return bad_record(group, index, text::cat({"bad cores ", text::quote(fields[3], 40)}), piece);
  return DeviceRecord{std::string(fields[0]), std::string(fields[1]), *memory, *cores};
}

Result<Group> decode_group(std::string_view text, std::size_t index) {
  Group group;
  for (const auto piece : text::split(text, ':')) {
    if (piece.find(',') == std::string_view::npos) continue;
    HAMI_TRY(auto record, decode_record(piece, index, group.size()));
    group.push_back(std::move(record));
  }
  return group;
}

std::string encode_group(const Group& group) {
  std::string out;
  for (const DeviceRecord& record : group) {
    out += text::cat({record.uuid, ",", record.type, ",", std::to_string(record.memory), ",",
                      std::to_string(record.cores), ":"});
  }
  return out;
}

}  // namespace

Result<std::vector<Group>> decode_groups(std::string_view value) {
  std::vector<Group> groups;
  for (const auto piece : text::split(value, ';')) {
    HAMI_TRY(auto group, decode_group(piece, groups.size()));
    groups.push_back(std::move(group));
  }
  return groups;
}

std::string encode_hami(const std::vector<Group>& groups) {
  std::string out;
  for (const Group& group : groups) out += encode_group(group) + ";";
  return out;
}

std::string encode_volcano(const std::vector<Group>& groups) {
  std::string out;
  for (std::size_t i = 0; i < groups.size(); ++i) out += (i == 0 ? "" : ";") + encode_group(groups[i]);
  return out;
}

std::vector<Group> without_padding(std::vector<Group> groups, bool terminated) {
  for (Group& group : groups) {
    std::erase_if(group, [](const DeviceRecord& record) { return record.is_placeholder(); });
  }
  if (terminated && !groups.empty() && groups.back().empty()) groups.pop_back();
  return groups;
}

}  // namespace hami::schedulers
