#include <json-c/json.h>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"
#include "runtime-shim/schedulers/node_texts.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kWhat = "devices of the node";

// A member that is not there is 0.
Result<> read_number(const JsonReader& entry, const char* name, std::int32_t& into) {
  if (!entry.has(name)) return {};
  HAMI_TRY(const std::uint32_t number, entry.number(name));
  if (number > INT32_MAX) return entry.error(text::cat({"has too large a ", name}));
  into = static_cast<std::int32_t>(number);
  return {};
}

Result<NodeDevice> read_device(const JsonReader& entry) {
  NodeDevice device;
  HAMI_TRY(device.id, entry.text("id"));
  if (device.id.empty()) return entry.error("has an empty id");
  HAMI_CHECK(read_number(entry, "count", device.count));
  HAMI_CHECK(read_number(entry, "devmem", device.memory));
  HAMI_CHECK(read_number(entry, "devcore", device.cores));
  HAMI_CHECK(read_number(entry, "numa", device.numa));
  std::int32_t index = 0;
  HAMI_CHECK(read_number(entry, "index", index));
  device.index = static_cast<std::uint32_t>(index);
  if (entry.has("type")) {
    HAMI_TRY(device.type, entry.text("type"));
  }
  if (entry.has("mode")) {
    HAMI_TRY(const std::string mode, entry.text("mode"));
    if (!mode.empty()) device.mode = mode;
  }
  device.healthy = entry.amount("health") == "true";
  return device;
}

json_object* to_object(const NodeDevice& device) {
  json_object* object = json_object_new_object();
  add_text_unless_empty(object, "id", device.id);
  add_number_unless_zero(object, "index", device.index);
  add_number_unless_zero(object, "count", device.count);
  add_number_unless_zero(object, "devmem", device.memory);
  add_number_unless_zero(object, "devcore", device.cores);
  add_text_unless_empty(object, "type", device.type);
  add_number_unless_zero(object, "numa", device.numa);
  add_text_unless_empty(object, "mode", device.mode);
  if (device.healthy) json_object_object_add(object, "health", json_object_new_boolean(1));
  return object;
}

}  // namespace

Result<std::vector<NodeDevice>> parse_register_json(std::string_view value) {
  HAMI_TRY(const JsonText parsed, parse_json(value, kWhat));
  HAMI_TRY(const auto entries, array_of(parsed.get(), kWhat));
  std::vector<NodeDevice> out;
  for (const JsonReader& entry : entries) {
    HAMI_TRY(auto device, read_device(entry));
    out.push_back(std::move(device));
  }
  return out;
}

std::string encode_register_json(const std::vector<NodeDevice>& devices) {
  const JsonText root(json_object_new_array());
  for (const NodeDevice& device : devices) json_object_array_add(root.get(), to_object(device));
  return written(root.get());
}

}  // namespace hami::schedulers
