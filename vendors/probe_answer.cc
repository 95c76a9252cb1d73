#include "vendors/probe_answer.h"

#include <cstdint>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "oci-config/json_access.h"
#include "vendors/values.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxDevices = 256;
constexpr std::size_t kMaxLinks = 64;

Result<std::string> text_of(oci::JsonRef object, const char* name, ValueType type) {
  HAMI_TRY(auto text, oci::string_member(object, name, name));
  if (!text || text->empty()) return std::string{};
  auto value = typed_value(type, *text);
  if (!value) return fail(Errc::io, text::cat({"'", name, "' is not usable: ", text::quote(*text, 60)}));
  return std::move(*value);
}

// The number a member stands for, when it is there; fails when it is not one up to `max`.
Result<std::optional<std::uint64_t>> number_of(oci::JsonRef object, const char* name, std::uint64_t max,
                                               const char* what) {
  const oci::JsonRef number = oci::member(object, name);
  if (number == nullptr) return std::optional<std::uint64_t>{};
  if (json_object_get_type(number) != json_type_int || json_object_get_int64(number) < 0 ||
      json_object_get_uint64(number) > max)
    return fail(Errc::io, text::cat({"'", name, "' is not ", what}));
  return std::optional<std::uint64_t>{json_object_get_uint64(number)};
}

constexpr std::uint64_t kMaxNumber = (1U << 20U) - 1;
constexpr std::uint64_t kMaxBytes = INT64_MAX;

Result<ProbedPart> part_from(oci::JsonRef object) {
  if (json_object_get_type(object) != json_type_object) return fail(Errc::io, "a part is not an object");
  ProbedPart part;
  HAMI_TRY(part.uuid, text_of(object, "uuid", ValueType::uuid));
  HAMI_TRY(const auto first, number_of(object, "first", kMaxNumber, "the number of an instance"));
  HAMI_TRY(const auto second, number_of(object, "second", kMaxNumber, "the number of an instance"));
  HAMI_TRY(const auto memory, number_of(object, "memory", kMaxBytes, "a number of bytes"));
  if (!first || !second || part.uuid.empty())
    return fail(Errc::io, "a part lacks 'first', 'second' or 'uuid'");
  part.first = static_cast<std::uint32_t>(*first);
  part.second = static_cast<std::uint32_t>(*second);
  part.memory.value = memory.value_or(0);
  return part;
}

Result<std::vector<ProbedPart>> parts_from(oci::JsonRef device) {
  std::vector<ProbedPart> parts;
  HAMI_TRY(const auto array, oci::member_of(device, "parts", json_type_array, "parts"));
  const std::size_t count = array == nullptr ? 0 : json_object_array_length(array);
  if (count > kMaxDevices) return fail(Errc::io, "too many parts");
  for (std::size_t i = 0; i < count; ++i) {
    HAMI_TRY(auto part, part_from(json_object_array_get_idx(array, i)));
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<> take_links(oci::JsonRef object, std::vector<std::string>& out) {
  HAMI_TRY(const auto links, oci::member_of(object, "links", json_type_array, "links"));
  const std::size_t count = links == nullptr ? 0 : json_object_array_length(links);
  if (count > kMaxLinks) return fail(Errc::io, "too many links");
  for (std::size_t i = 0; i < count; ++i) {
    const char* text = json_object_get_string(json_object_array_get_idx(links, i));
    const auto address = typed_value(ValueType::bdf, text == nullptr ? "" : text);
    if (!address) return fail(Errc::io, "a link leads to no PCI address");
    out.push_back(normal_bdf(*address));
  }
  return {};
}

Result<ProbedDevice> device_from(oci::JsonRef object) {
  ProbedDevice device;
  if (json_object_get_type(object) != json_type_object) return fail(Errc::io, "a device is not an object");
  HAMI_TRY(device.bdf, text_of(object, "bdf", ValueType::bdf));
  HAMI_TRY(device.uuid, text_of(object, "uuid", ValueType::uuid));
  HAMI_TRY(device.model, text_of(object, "model", ValueType::text));
  device.bdf = normal_bdf(device.bdf);
  HAMI_TRY(const auto number, number_of(object, "number", kMaxNumber, "the number of a device node"));
  if (number) device.number = static_cast<std::uint32_t>(*number);
  HAMI_TRY(const auto memory, number_of(object, "memory", kMaxBytes, "a number of bytes"));
  device.memory.value = memory.value_or(0);
  HAMI_TRY(device.parts, parts_from(object));
  HAMI_CHECK(take_links(object, device.links));
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

std::string to_json(const std::vector<ProbedPart>& parts) {
  std::string out;
  for (const auto& part : parts) {
    out += text::cat({out.empty() ? "" : ",", "{\"first\":", text::number(std::uint64_t{part.first}),
                      ",\"second\":", text::number(std::uint64_t{part.second}), ",\"uuid\":",
                      json_string(part.uuid), ",\"memory\":", text::number(part.memory.value), "}"});
  }
  return out;
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
    if (!device.parts.empty()) out += text::cat({",\"parts\":[", to_json(device.parts), "]"});
    for (const auto& link : device.links)
      out += text::cat({&link == &device.links.front() ? ",\"links\":[" : ",", json_string(link)});
    if (!device.links.empty()) out += ']';
    out += '}';
  }
  return out + "]}\n";
}

}  // namespace hami::vendors
