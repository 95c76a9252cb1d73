#include <limits>

#include "oci-config/base/text.h"
#include "runtime-shim/state/json_reader.h"
#include "runtime-shim/state/lease_json.h"
#include "runtime-shim/state/subdevice_record.h"

namespace hami::state {

namespace {

tl::unexpected<Error> bad_member(const std::string& name) {
  return fail(Errc::io,
              text::cat({"not a slice's record: member ", text::quote(name), " is missing or wrong"}));
}

Result<std::vector<std::uint32_t>> numbers(json_object* list, const char* name) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < json_object_array_length(list); ++i) {
    json_object* item = json_object_array_get_idx(list, i);
    const std::int64_t value = json_object_is_type(item, json_type_int) ? json_object_get_int64(item) : -1;
    if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) return bad_member(name);
    out.push_back(static_cast<std::uint32_t>(value));
  }
  return out;
}

Result<std::vector<std::string>> words(json_object* list, const char* name) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < json_object_array_length(list); ++i) {
    json_object* item = json_object_array_get_idx(list, i);
    if (!json_object_is_type(item, json_type_string)) return bad_member(name);
    out.emplace_back(json_object_get_string(item));
  }
  return out;
}

}  // namespace

std::string to_json(const SubdeviceRecord& record) {
  const Json root(json_object_new_object());
  add_text(root.get(), "key", record.key);
  add_number(root.get(), "creatorPid", static_cast<std::uint64_t>(record.creator_pid));
  add_number(root.get(), "creatorStart", record.creator_start);
  json_object_object_add(root.get(), "holding", holding_object(record.holding));
  add_text(root.get(), "list", record.list);
  json_object* before = json_object_new_array();
  for (const std::uint32_t number : record.before)
    json_object_array_add(before, json_object_new_uint64(number));
  json_object_object_add(root.get(), "before", before);
  json_object* number = json_object_new_array();
  if (record.number) json_object_array_add(number, json_object_new_uint64(*record.number));
  json_object_object_add(root.get(), "number", number);
  add_text(root.get(), "identity", record.identity);
  json_object* destroy = json_object_new_array();
  for (const std::string& word : record.destroy)
    json_object_array_add(destroy, json_object_new_string_len(word.data(), static_cast<int>(word.size())));
  json_object_object_add(root.get(), "destroy", destroy);
  return written(root.get());
}

Result<SubdeviceRecord> parse_subdevice(std::string_view text) {
  const Json root = parsed(text);
  if (!json_object_is_type(root.get(), json_type_object))
    return fail(Errc::io, "not a slice's record: no JSON object");
  Reader reader(root.get());
  SubdeviceRecord record;
  record.key = reader.text("key");
  record.creator_pid = static_cast<int>(reader.number("creatorPid", INT32_MAX));
  record.creator_start = reader.number("creatorStart");
  record.list = reader.text("list");
  record.identity = reader.text("identity");
  json_object* before = reader.array("before");
  json_object* number = reader.array("number");
  json_object* destroy = reader.array("destroy");
  if (reader.wrong_member()) return bad_member(*reader.wrong_member());
  json_object* holding = nullptr;
  json_object_object_get_ex(root.get(), "holding", &holding);
  HAMI_TRY(record.holding, parse_holding(holding));
  HAMI_TRY(record.before, numbers(before, "before"));
  HAMI_TRY(const auto known, numbers(number, "number"));
  if (known.size() > 1) return bad_member("number");
  if (!known.empty()) record.number = known.front();
  HAMI_TRY(record.destroy, words(destroy, "destroy"));
  if (record.destroy.empty()) return bad_member("destroy");
  if (record.list.find('*') == std::string::npos) return bad_member("list");
  return record;
}

}  // namespace hami::state
