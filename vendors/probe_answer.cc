#include "vendors/probe_answer.h"

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "oci-config/json_access.h"
#include "vendors/values.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxDevices = 256;

Result<std::string> text_of(oci::JsonRef object, const char* name, ValueType type) {
  HAMI_TRY(auto text, oci::string_member(object, name, name));
  if (!text || text->empty()) return std::string{};
  auto value = typed_value(type, *text);
  if (!value) return fail(Errc::io, text::cat({"'", name, "' is not usable: ", text::quote(*text, 60)}));
  return std::move(*value);
}

Result<ProbedDevice> device_from(oci::JsonRef object) {
  ProbedDevice device;
  if (json_object_get_type(object) != json_type_object) return fail(Errc::io, "a device is not an object");
  HAMI_TRY(device.bdf, text_of(object, "bdf", ValueType::bdf));
  HAMI_TRY(device.uuid, text_of(object, "uuid", ValueType::uuid));
  HAMI_TRY(device.model, text_of(object, "model", ValueType::text));
  device.bdf = normal_bdf(device.bdf);
  if (const oci::JsonRef number = oci::member(object, "number"); number != nullptr) {
    const auto value = json_object_get_int64(number);
    if (json_object_get_type(number) != json_type_int || value < 0 || value >= 1 << 20)
      return fail(Errc::io, "'number' is not the number of a device node");
    device.number = static_cast<std::uint32_t>(value);
  }
  const oci::JsonRef memory = oci::member(object, "memory");
  if (memory == nullptr) return device;
  if (json_object_get_type(memory) != json_type_int || json_object_get_int64(memory) < 0)
    return fail(Errc::io, "'memory' is not a number of bytes");
  device.memory.value = json_object_get_uint64(memory);
  return device;
}

Result<ProbeAnswer> answer_from(std::string_view json) {
  HAMI_TRY(const auto document, oci::Document::parse(json));
  ProbeAnswer answer;
  HAMI_TRY(auto key, oci::string_member(document.root(), "key", "key"));
  answer.key = key.value_or("");
  HAMI_TRY(const auto devices, oci::member_of(document.root(), "devices", json_type_array, "devices"));
  if (devices == nullptr) return fail(Errc::io, "'devices' is missing");
  const std::size_t count = json_object_array_length(devices);
  if (count > kMaxDevices) return fail(Errc::io, "too many devices");
  for (std::size_t i = 0; i < count; ++i) {
    HAMI_TRY(auto device, device_from(json_object_array_get_idx(devices, i)));
    answer.devices.push_back(std::move(device));
  }
  return answer;
}

}  // namespace

Result<ProbeAnswer> parse_probe_answer(std::string_view json) {
  auto answer = answer_from(json);
  if (answer) return answer;
  Error error = std::move(answer).error();
  error.code = Errc::io;
  return fail(std::move(error).within("read the answer of the vendor's library"));
}

std::string to_json(const ProbeAnswer& answer) {
  std::string out = text::cat({"{\"key\":", json_string(answer.key), ",\"devices\":["});
  for (const auto& device : answer.devices) {
    if (&device != &answer.devices.front()) out += ',';
    out += text::cat({"\n{\"bdf\":", json_string(device.bdf), ",\"uuid\":", json_string(device.uuid),
                      ",\"model\":", json_string(device.model),
                      ",\"memory\":", text::number(device.memory.value)});
    if (device.number) out += text::cat({",\"number\":", text::number(*device.number)});
    out += '}';
  }
  return out + "]}\n";
}

}  // namespace hami::vendors
