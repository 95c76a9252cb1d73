#include <json-c/json.h>

#include "oci-config/base/quantity.h"
#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/json_reader.h"
#include "runtime-shim/schedulers/json_writer.h"
#include "runtime-shim/schedulers/neighbours.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kWhat = "scheduling.koordinator.sh/device-allocated";

// Kubernetes quantities of percent are plain numbers.
Result<std::optional<std::uint32_t>> percent(const JsonReader& resources, const char* name) {
  const std::string written = resources.amount(name);
  if (written.empty()) return std::optional<std::uint32_t>{};
  const auto value = text::parse_u64(written);
  if (value && *value <= 100000) return std::optional<std::uint32_t>(static_cast<std::uint32_t>(*value));
  return resources.error(text::cat({"has a bad ", name, " ", text::quote(written, 40)}));
}

Result<KoordinatorDevice> read_device(const std::string& type, const JsonReader& entry) {
  KoordinatorDevice device;
  device.type = type;
  HAMI_TRY(device.minor, entry.number("minor"));
  if (entry.has("id")) {
    HAMI_TRY(device.id, entry.text("id"));
  }
  if (!entry.has("resources")) return device;
  HAMI_TRY(const JsonReader resources, entry.object("resources"));
  HAMI_TRY(device.core, percent(resources, "koordinator.sh/gpu-core"));
  HAMI_TRY(device.memory_ratio, percent(resources, "koordinator.sh/gpu-memory-ratio"));
  const std::string memory = resources.amount("koordinator.sh/gpu-memory");
  if (memory.empty()) return device;
  auto bytes = parse_quantity(memory);
  if (!bytes)
    return resources.error(text::cat({"has a bad koordinator.sh/gpu-memory ", text::quote(memory, 40)}));
  device.memory = *bytes;
  return device;
}

json_object* to_object(const KoordinatorDevice& device) {
  json_object* object = json_object_new_object();
  add_number(object, "minor", device.minor);
  add_text_unless_empty(object, "id", device.id);
  json_object* resources = json_object_new_object();
  const auto add = [&](const char* name, std::uint64_t amount) {
    add_text(resources, name, text::number(amount));
  };
  if (device.core) add("koordinator.sh/gpu-core", *device.core);
  if (device.memory) add("koordinator.sh/gpu-memory", device.memory->value);
  if (device.memory_ratio) add("koordinator.sh/gpu-memory-ratio", *device.memory_ratio);
  json_object_object_add(object, "resources", resources);
  return object;
}

}  // namespace

Result<std::vector<KoordinatorDevice>> parse_koordinator(std::string_view json) {
  std::vector<KoordinatorDevice> out;
  if (is_null(json)) return out;
  HAMI_TRY(const JsonText parsed, parse_json(json, kWhat));
  HAMI_TRY(const auto types, members_of(parsed.get(), kWhat));
  for (const auto& [type, list] : types) {
    if (list == nullptr) continue;
    HAMI_TRY(const auto entries, array_of(list, text::cat({kWhat, ": ", type})));
    for (const JsonReader& entry : entries) {
      HAMI_TRY(auto device, read_device(type, entry));
      out.push_back(std::move(device));
    }
  }
  return out;
}

std::string encode_koordinator(const std::vector<KoordinatorDevice>& devices) {
  const JsonText root(json_object_new_object());
  for (const KoordinatorDevice& device : devices) {
    json_object* list = nullptr;
    if (json_object_object_get_ex(root.get(), device.type.c_str(), &list) == 0) {
      list = json_object_new_array();
      json_object_object_add(root.get(), device.type.c_str(), list);
    }
    json_object_array_add(list, to_object(device));
  }
  return written(root.get());
}

}  // namespace hami::schedulers
