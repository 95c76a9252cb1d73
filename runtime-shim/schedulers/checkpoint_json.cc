#include <json-c/json.h>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/checkpoint.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kWhat = "the kubelet's checkpoint";

Result<> add_ids(json_object* list, const JsonReader& entry, std::vector<std::string>& into) {
  if (!json_object_is_type(list, json_type_array)) return entry.error("has DeviceIDs of an unknown form");
  for (std::size_t i = 0; i < json_object_array_length(list); ++i) {
    json_object* id = json_object_array_get_idx(list, i);
    if (!json_object_is_type(id, json_type_string)) return entry.error("has a device id that is no text");
    into.emplace_back(json_object_get_string(id));
  }
  return {};
}

Result<std::vector<std::string>> device_ids(json_object* object, const JsonReader& entry) {
  std::vector<std::string> out;
  json_object* ids = nullptr;
  json_object_object_get_ex(object, "DeviceIDs", &ids);
  if (!json_object_is_type(ids, json_type_object)) {
    HAMI_CHECK(add_ids(ids, entry, out));
    return out;
  }
  json_object_object_foreach(ids, node, list) {
    (void)node;
    HAMI_CHECK(add_ids(list, entry, out));
  }
  return out;
}

Result<CheckpointEntry> read_entry(json_object* object, const JsonReader& entry) {
  CheckpointEntry out;
  HAMI_TRY(out.pod, entry.text("PodUID"));
  HAMI_TRY(out.container, entry.text("ContainerName"));
  HAMI_TRY(out.resource, entry.text("ResourceName"));
  HAMI_TRY(out.devices, device_ids(object, entry));
  if (!entry.has("AllocResp")) return out;
  HAMI_TRY(const std::string encoded, entry.text("AllocResp"));
  auto bytes = decode_base64(encoded);
  if (!bytes) return entry.error(text::cat({"has a bad AllocResp: ", bytes.error().message}));
  auto answer = decode_answer(*bytes);
  if (!answer) return entry.error(text::cat({"has a bad AllocResp: ", answer.error().message}));
  out.answer = *std::move(answer);
  return out;
}

json_object* to_object(const CheckpointEntry& entry) {
  json_object* object = json_object_new_object();
  add_text(object, "PodUID", entry.pod);
  add_text(object, "ContainerName", entry.container);
  add_text(object, "ResourceName", entry.resource);
  json_object* ids = json_object_new_array();
  for (const std::string& id : entry.devices) json_object_array_add(ids, json_text(id));
  json_object* by_node = json_object_new_object();
  json_object_object_add(by_node, "-1", ids);
  json_object_object_add(object, "DeviceIDs", by_node);
  add_text(object, "AllocResp", encode_base64(encode_answer(entry.answer)));
  return object;
}

}  // namespace

Result<std::vector<CheckpointEntry>> read_checkpoint(std::string_view json, std::string_view pod,
                                                     std::string_view container) {
  HAMI_TRY(const JsonText parsed, parse_json(json, kWhat, kMaxCheckpoint));
  if (!json_object_is_type(parsed.get(), json_type_object))
    return fail(Errc::invalid_request, text::cat({kWhat, ": not an object"}));
  HAMI_TRY(const JsonReader data, JsonReader(parsed.get(), std::string(kWhat)).object("Data"));
  std::vector<CheckpointEntry> out;
  if (!data.has("PodDeviceEntries")) return out;  // no Pod has devices
  HAMI_TRY(const auto entries, data.array("PodDeviceEntries"));
  for (const JsonReader& entry : entries) {
    HAMI_TRY(const std::string owner, entry.text("PodUID"));
    HAMI_TRY(const std::string name, entry.text("ContainerName"));
    if (owner != pod || name != container) continue;
    HAMI_TRY(auto read, read_entry(entry.raw(), entry));
    out.push_back(std::move(read));
  }
  return out;
}

std::string encode_checkpoint(const std::vector<CheckpointEntry>& entries) {
  const JsonText root(json_object_new_object());
  json_object* list = json_object_new_array();
  for (const CheckpointEntry& entry : entries) json_object_array_add(list, to_object(entry));
  json_object* data = json_object_new_object();
  json_object_object_add(data, "PodDeviceEntries", list);
  json_object_object_add(root.get(), "Data", data);
  return written(root.get());
}

}  // namespace hami::schedulers
