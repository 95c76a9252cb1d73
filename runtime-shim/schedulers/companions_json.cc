#include <json-c/json.h>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/companions.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"

namespace hami::schedulers {

namespace {

// Members that are zero are left out.
Result<std::uint32_t> number_or_zero(const JsonReader& entry, const char* name) {
  return entry.has(name) ? entry.number(name) : Result<std::uint32_t>(0U);
}

Result<std::string> text_or_empty(const JsonReader& entry, const char* name) {
  return entry.has(name) ? entry.text(name) : Result<std::string>(std::string());
}

Result<std::string> device_uuid(const JsonReader& entry, const char* name) {
  HAMI_TRY(auto uuid, entry.text(name));
  if (uuid.empty()) return entry.error(text::cat({"has an empty ", name}));
  return uuid;
}

Result<GcuAssignment> read_assignment(const JsonReader& entry) {
  GcuAssignment out;
  if (entry.has("allocated")) {
    HAMI_TRY(out.allocated, entry.boolean("allocated"));
  }
  HAMI_TRY(out.request, number_or_zero(entry, "request"));
  out.profile_id = entry.amount("profileID");
  HAMI_TRY(out.profile, text_or_empty(entry, "profileName"));
  out.instance_id = entry.amount("instanceID");
  HAMI_TRY(out.instance_uuid, text_or_empty(entry, "instanceUUID"));
  return out;
}

Result<CuRange> read_range(const JsonReader& lists, const std::string& card, std::string_view part) {
  const auto dash = part.find('-');
  const auto first = text::parse_u64(part.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : text::parse_u64(part.substr(dash + 1));
  if (!first || !last || *last > UINT32_MAX || *first > *last) {
    return lists.error(
        text::cat({"has the bad units ", text::quote(part, 40), " of card ", text::quote(card, 100)}));
  }
  return CuRange{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

}  // namespace

Result<std::vector<AscendShare>> parse_ascend_shares(std::string_view value) {
  std::vector<AscendShare> out;
  if (is_null(value)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(value, ""));
  HAMI_TRY(const auto entries, array_of(parsed.get(), ""));
  for (const JsonReader& entry : entries) {
    AscendShare share;
    HAMI_TRY(share.uuid, device_uuid(entry, "UUID"));
    HAMI_TRY(share.cut, text_or_empty(entry, "temp"));
    HAMI_TRY(share.memory, number_or_zero(entry, "memory"));
    HAMI_TRY(share.cores, number_or_zero(entry, "core"));
    out.push_back(std::move(share));
  }
  return out;
}

std::string encode_ascend_shares(const std::vector<AscendShare>& shares) {
  if (shares.empty()) return "null";
  const JsonText root(json_object_new_array());
  for (const AscendShare& share : shares) {
    json_object* entry = json_object_new_object();
    json_object_array_add(root.get(), entry);
    add_text_unless_empty(entry, "UUID", share.uuid);
    add_text_unless_empty(entry, "temp", share.cut);
    add_number_unless_zero(entry, "memory", share.memory);
    add_number_unless_zero(entry, "core", share.cores);
  }
  return written(root.get());
}

Result<std::vector<std::vector<MetaxShare>>> parse_metax_shares(std::string_view value) {
  std::vector<std::vector<MetaxShare>> out;
  if (is_null(value)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(value, ""));
  HAMI_TRY(const auto lists, elements_of(parsed.get(), ""));
  for (json_object* list : lists) {
    std::vector<MetaxShare> shares;
    const std::string path = text::cat({"container ", text::number(out.size())});
    // A container without a device has a null list.
    HAMI_TRY(const auto entries, list == nullptr ? Result<std::vector<JsonReader>>(std::vector<JsonReader>{})
                                                 : array_of(list, path));
    for (const JsonReader& entry : entries) {
      MetaxShare share;
      HAMI_TRY(share.uuid, device_uuid(entry, "uuid"));
      HAMI_TRY(share.compute, number_or_zero(entry, "compute"));
      HAMI_TRY(share.memory, number_or_zero(entry, "vRam"));
      shares.push_back(std::move(share));
    }
    out.push_back(std::move(shares));
  }
  return out;
}

std::string encode_metax_shares(const std::vector<std::vector<MetaxShare>>& containers) {
  const JsonText root(json_object_new_array());
  for (const auto& shares : containers) {
    json_object* list = json_object_new_array();
    json_object_array_add(root.get(), list);
    for (const MetaxShare& share : shares) {
      json_object* entry = json_object_new_object();
      json_object_array_add(list, entry);
      add_text_unless_empty(entry, "uuid", share.uuid);
      add_number(entry, "compute", share.compute);
      add_number(entry, "vRam", share.memory);
    }
  }
  return written(root.get());
}

Result<std::map<std::string, GcuAssignment>> parse_assigned_containers(std::string_view value) {
  std::map<std::string, GcuAssignment> out;
  if (is_null(value)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(value, ""));
  HAMI_TRY(const auto members, members_of(parsed.get(), ""));
  for (const auto& [name, member] : members) {
    HAMI_TRY(const JsonReader entry, object_at(member, text::cat({"container ", text::quote(name, 100)})));
    HAMI_TRY(out[name], read_assignment(entry));
  }
  return out;
}

std::string encode_assigned_containers(const std::map<std::string, GcuAssignment>& containers) {
  const JsonText root(json_object_new_object());
  for (const auto& [name, assignment] : containers) {
    json_object* entry = json_object_new_object();
    json_object_object_add(root.get(), name.c_str(), entry);
    json_object_object_add(entry, "allocated", json_object_new_boolean(assignment.allocated ? 1 : 0));
    add_number(entry, "request", assignment.request);
    add_text_unless_empty(entry, "profileID", assignment.profile_id);
    add_text_unless_empty(entry, "profileName", assignment.profile);
    add_text_unless_empty(entry, "instanceID", assignment.instance_id);
    add_text_unless_empty(entry, "instanceUUID", assignment.instance_uuid);
  }
  return written(root.get());
}

Result<CuLists> parse_cu_lists(std::string_view value) {
  CuLists out;
  if (is_null(value)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(value, ""));
  HAMI_TRY(const auto members, members_of(parsed.get(), ""));
  const JsonReader lists(parsed.get(), "the object");
  for (const auto& [card, member] : members) {
    HAMI_TRY(const auto units, lists.text(card.c_str()));
    std::vector<CuRange>& ranges = out[card];
    for (const std::string_view part : text::split(units, ',')) {
      HAMI_TRY(const auto range, read_range(lists, card, text::trim(part)));
      ranges.push_back(range);
    }
  }
  return out;
}

std::string encode_cu_lists(const CuLists& lists) {
  const JsonText root(json_object_new_object());
  for (const auto& [card, ranges] : lists) {
    std::vector<std::string> parts;
    for (const CuRange& range : ranges) {
      parts.push_back(range.first == range.last
                          ? text::number(range.first)
                          : text::cat({text::number(range.first), "-", text::number(range.last)}));
    }
    add_text_unless_empty(root.get(), card.c_str(), text::join(parts, ","));
  }
  return written(root.get());
}

}  // namespace hami::schedulers
