#include "runtime-shim/schedulers/allocate_answer.h"

#include <cstdint>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

// Numbers of the fields. Source: k8s.io/kubelet, pkg/apis/deviceplugin/v1beta1/api.proto.
constexpr std::uint64_t kEnvs = 1;
constexpr std::uint64_t kMounts = 2;
constexpr std::uint64_t kDevices = 3;
constexpr std::uint64_t kAnnotations = 4;
constexpr std::uint64_t kCdiDevices = 5;

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t value = 0;  // varint
  std::string_view bytes;
};

// Reads the fields of one message in order.
class Fields {
 public:
  Fields(std::string_view message, std::size_t offset) : message_(message), offset_(offset) {}

  [[nodiscard]] bool at_end() const { return at_ == message_.size(); }
  // Where the bytes of the last field begin, in the whole answer.
  [[nodiscard]] std::size_t position() const { return offset_ + at_; }

  Result<Field> next() {
    const auto tag = varint();
    if (!tag) return bad("a tag that is cut off");
    Field field;
    field.number = *tag >> 3U;
    field.wire = static_cast<Wire>(*tag & 7U);
    if (field.number == 0) return bad("a field with number 0");
    return read(field) ? Result<Field>(field) : bad("a value that is cut off");
  }

  [[nodiscard]] tl::unexpected<Error> bad(std::string_view what) const {
    return fail(Errc::invalid_request,
                text::cat({"answer of the device plugin: ", what, " at byte ", text::number(position())}));
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < message_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

  bool skip(std::uint64_t size, Field& field) {
    if (size > message_.size() - at_) return false;
    field.bytes = message_.substr(at_, size);
    at_ += size;
    return true;
  }

  bool read(Field& field) {
    switch (field.wire) {
      case Wire::varint: {
        const auto value = varint();
        field.value = value.value_or(0);
        return value.has_value();
      }
      case Wire::bytes: {
        const auto size = varint();
        return size && skip(*size, field);
      }
      case Wire::fixed64:
        return skip(8, field);
      case Wire::fixed32:
        return skip(4, field);
    }
    return false;  // groups, which no message of ours has
  }

  std::string_view message_;
  std::size_t offset_;
  std::size_t at_ = 0;
};

// Calls take(field) for each field of the message.
template <typename Take>
Result<> each_field(std::string_view message, std::size_t offset, Take take) {
  Fields fields(message, offset);
  while (!fields.at_end()) {
    HAMI_TRY(const Field field, fields.next());
    const std::size_t begin = fields.position() - field.bytes.size();
    HAMI_CHECK(take(field, begin));
  }
  return {};
}

tl::unexpected<Error> bad_field(const Field& field, std::size_t at) {
  return fail(Errc::invalid_request,
              text::cat({"answer of the device plugin: field ", text::number(field.number),
                         " of a wrong type at byte ", text::number(at)}));
}

// Puts a text into the member with this number; others are left alone.
Result<> take_text(const Field& field, std::size_t at, std::uint64_t number, std::string& into) {
  if (field.number != number) return {};
  if (field.wire != Wire::bytes) return bad_field(field, at);
  into = field.bytes;
  return {};
}

Result<> read_pair(const Field& message, std::size_t at, std::map<std::string, std::string>& into) {
  std::string key;
  std::string value;
  HAMI_CHECK(each_field(message.bytes, at, [&](const Field& field, std::size_t begin) -> Result<> {
    HAMI_CHECK(take_text(field, begin, 1, key));
    return take_text(field, begin, 2, value);
  }));
  into.insert_or_assign(std::move(key), std::move(value));
  return {};
}

Result<> read_mount(const Field& message, std::size_t at, std::vector<AnsweredMount>& into) {
  AnsweredMount mount;
  HAMI_CHECK(each_field(message.bytes, at, [&](const Field& field, std::size_t begin) -> Result<> {
    HAMI_CHECK(take_text(field, begin, 1, mount.container_path));
    HAMI_CHECK(take_text(field, begin, 2, mount.host_path));
    if (field.number != 3) return {};
    if (field.wire != Wire::varint) return bad_field(field, begin);
    mount.read_only = field.value != 0;
    return {};
  }));
  into.push_back(std::move(mount));
  return {};
}

Result<> read_node(const Field& message, std::size_t at, std::vector<AnsweredNode>& into) {
  AnsweredNode node;
  HAMI_CHECK(each_field(message.bytes, at, [&](const Field& field, std::size_t begin) -> Result<> {
    HAMI_CHECK(take_text(field, begin, 1, node.container_path));
    HAMI_CHECK(take_text(field, begin, 2, node.host_path));
    return take_text(field, begin, 3, node.permissions);
  }));
  into.push_back(std::move(node));
  return {};
}

Result<> read_cdi_device(const Field& message, std::size_t at, std::vector<std::string>& into) {
  std::string name;
  HAMI_CHECK(each_field(message.bytes, at, [&](const Field& field, std::size_t begin) {
    return take_text(field, begin, 1, name);
  }));
  into.push_back(std::move(name));
  return {};
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out += static_cast<char>(static_cast<unsigned char>(value | 0x80U));
  out += static_cast<char>(static_cast<unsigned char>(value));
}

void put_bytes(std::string& out, std::uint64_t number, std::string_view bytes) {
  put_varint(out, number << 3U | static_cast<std::uint64_t>(Wire::bytes));
  put_varint(out, bytes.size());
  out += bytes;
}

// proto3: an empty text is not written.
void put_text(std::string& out, std::uint64_t number, const std::string& value) {
  if (!value.empty()) put_bytes(out, number, value);
}

void put_pairs(std::string& out, std::uint64_t number, const std::map<std::string, std::string>& pairs) {
  for (const auto& [key, value] : pairs) {
    std::string entry;
    put_text(entry, 1, key);
    put_text(entry, 2, value);
    put_bytes(out, number, entry);
  }
}

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<AllocateAnswer> decode_answer(std::string_view bytes) {
  AllocateAnswer out;
  HAMI_CHECK(each_field(bytes, 0, [&](const Field& field, std::size_t at) -> Result<> {
    if (field.number > kCdiDevices) return {};
    if (field.wire != Wire::bytes) return bad_field(field, at);
    switch (field.number) {
      case kEnvs:
        return read_pair(field, at, out.env);
      case kMounts:
        return read_mount(field, at, out.mounts);
      case kDevices:
        return read_node(field, at, out.nodes);
      case kAnnotations:
        return read_pair(field, at, out.annotations);
      default:
        return read_cdi_device(field, at, out.cdi_devices);
    }
  }));
  return out;
}

std::string encode_answer(const AllocateAnswer& answer) {
  std::string out;
  put_pairs(out, kEnvs, answer.env);
  for (const AnsweredMount& mount : answer.mounts) {
    std::string entry;
    put_text(entry, 1, mount.container_path);
    put_text(entry, 2, mount.host_path);
    if (mount.read_only) entry += "\x18\x01";  // field 3, a varint
    put_bytes(out, kMounts, entry);
  }
  for (const AnsweredNode& node : answer.nodes) {
    std::string entry;
    put_text(entry, 1, node.container_path);
    put_text(entry, 2, node.host_path);
    put_text(entry, 3, node.permissions);
    put_bytes(out, kDevices, entry);
  }
  put_pairs(out, kAnnotations, answer.annotations);
  for (const std::string& name : answer.cdi_devices) {
    std::string entry;
    put_text(entry, 1, name);
    put_bytes(out, kCdiDevices, entry);
  }
  return out;
}

Result<std::string> decode_base64(std::string_view text) {
  const auto bad = [&](std::size_t at) {
    return fail(Errc::invalid_request, text::cat({"base64: a wrong character at ", text::number(at)}));
  };
  if (text.size() % 4 != 0) return bad(text.size());
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const auto digit = is_padding ? 0 : kAlphabet.find(text[i]);
    if (digit == std::string_view::npos) return bad(i);
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(bits >> shift & 0xFFU);
    bits = 0;
  }
  out.resize(out.size() - padding);
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? kAlphabet[bits >> (18 - 6 * k) & 0x3FU] : '=';
  }
  return out;
}

}  // namespace hami::schedulers
