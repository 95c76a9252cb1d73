#include "runtime-shim/state/lease_json.h"

#include <json-c/json.h>

#include <memory>
#include <optional>

#include "oci-config/base/text.h"

namespace hami::state {

namespace {

struct Put {
  void operator()(json_object* object) const noexcept { json_object_put(object); }
};
using Json = std::unique_ptr<json_object, Put>;

struct TokenerFree {
  void operator()(json_tokener* tokener) const noexcept { json_tokener_free(tokener); }
};

void add_text(json_object* object, const char* name, const std::string& value) {
  json_object_object_add(object, name,
                         json_object_new_string_len(value.data(), static_cast<int>(value.size())));
}

void add_number(json_object* object, const char* name, std::uint64_t value) {
  json_object_object_add(object, name, json_object_new_uint64(value));
}

json_object* to_object(const Holding& holding) {
  json_object* object = json_object_new_object();
  add_text(object, "vendor", holding.vendor);
  add_text(object, "device", holding.device);
  add_number(object, "memory", holding.memory.value);
  add_number(object, "cores", holding.cores.value);
  json_object_object_add(object, "exclusive", json_object_new_boolean(holding.exclusive ? 1 : 0));
  for (const auto& [name, value] : {std::pair<const char*, std::uint64_t>{"slot", holding.slot},
                                    {"partsLow", holding.parts_low},
                                    {"partsHigh", holding.parts_high}}) {
    if (value != 0) add_number(object, name, value);
  }
  return object;
}

// Reads the members of one object and remembers the first thing that was wrong.
class Reader {
 public:
  explicit Reader(json_object* object) : object_(object) {}

  std::string text(const char* name) {
    json_object* value = get(name, json_type_string);
    if (value == nullptr) return {};
    return {json_object_get_string(value), static_cast<std::size_t>(json_object_get_string_len(value))};
  }

  std::uint64_t number(const char* name, std::uint64_t max = UINT64_MAX) {
    json_object* value = get(name, json_type_int);
    if (value == nullptr) return 0;
    const bool negative = json_object_get_int64(value) < 0;
    const std::uint64_t number = json_object_get_uint64(value);
    if (negative || number > max) wrong(name);
    return number;
  }

  // 0 when it is not there.
  std::uint64_t number_or_0(const char* name, std::uint64_t max = UINT64_MAX) {
    return json_object_object_get_ex(object_, name, nullptr) != 0 ? number(name, max) : 0;
  }

  bool flag(const char* name) {
    json_object* value = get(name, json_type_boolean);
    return value != nullptr && json_object_get_boolean(value) != 0;
  }

  json_object* array(const char* name) { return get(name, json_type_array); }

  [[nodiscard]] const std::optional<std::string>& wrong_member() const { return wrong_; }

 private:
  json_object* get(const char* name, json_type type) {
    json_object* value = nullptr;
    json_object_object_get_ex(object_, name, &value);
    if (value != nullptr && json_object_is_type(value, type)) return value;
    wrong(name);
    return nullptr;
  }

  void wrong(const char* name) {
    if (!wrong_) wrong_ = name;
  }

  json_object* object_;
  std::optional<std::string> wrong_;
};

tl::unexpected<Error> bad_member(const std::string& name) {
  return fail(Errc::io, text::cat({"not a lease: member ", text::quote(name), " is missing or wrong"}));
}

Result<Holding> parse_holding(json_object* object) {
  if (!json_object_is_type(object, json_type_object)) return bad_member("holdings");
  Reader reader(object);
  Holding holding;
  holding.vendor = reader.text("vendor");
  holding.device = reader.text("device");
  holding.memory = Bytes{reader.number("memory")};
  holding.cores = Percent{static_cast<std::uint32_t>(reader.number("cores", 100000))};
  holding.exclusive = reader.flag("exclusive");
  holding.slot = static_cast<std::uint32_t>(reader.number_or_0("slot", UINT32_MAX));
  holding.parts_low = reader.number_or_0("partsLow");
  holding.parts_high = reader.number_or_0("partsHigh");
  if (reader.wrong_member()) return bad_member("holdings." + *reader.wrong_member());
  return holding;
}

}  // namespace

std::string to_json(const Lease& lease) {
  const Json root(json_object_new_object());
  add_text(root.get(), "key", lease.key);
  add_text(root.get(), "container", lease.container_id);
  add_text(root.get(), "engineRoot", lease.engine_root);
  add_text(root.get(), "bundle", lease.bundle);
  add_text(root.get(), "source", lease.source);
  add_text(root.get(), "bootId", lease.boot_id);
  add_number(root.get(), "creatorPid", static_cast<std::uint64_t>(lease.creator_pid));
  add_number(root.get(), "creatorStart", lease.creator_start);
  add_number(root.get(), "createdAt", static_cast<std::uint64_t>(lease.created_at));
  json_object* holdings = json_object_new_array();
  for (const Holding& holding : lease.holdings) json_object_array_add(holdings, to_object(holding));
  json_object_object_add(root.get(), "holdings", holdings);
  return text::cat(
      {json_object_to_json_string_ext(root.get(), JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE),
       "\n"});
}

Result<Lease> parse_lease(std::string_view text) {
  const std::unique_ptr<json_tokener, TokenerFree> tokener(json_tokener_new_ex(16));
  const Json root(json_tokener_parse_ex(tokener.get(), text.data(), static_cast<int>(text.size())));
  if (!json_object_is_type(root.get(), json_type_object))
    return fail(Errc::io, "not a lease: no JSON object");

  Reader reader(root.get());
  Lease lease;
  lease.key = reader.text("key");
  lease.container_id = reader.text("container");
  lease.engine_root = reader.text("engineRoot");
  lease.bundle = reader.text("bundle");
  lease.source = reader.text("source");
  lease.boot_id = reader.text("bootId");
  lease.creator_pid = static_cast<int>(reader.number("creatorPid", INT32_MAX));
  lease.creator_start = reader.number("creatorStart");
  lease.created_at = static_cast<std::int64_t>(reader.number("createdAt", INT64_MAX));
  json_object* holdings = reader.array("holdings");
  if (reader.wrong_member()) return bad_member(*reader.wrong_member());
  for (std::size_t i = 0; i < json_object_array_length(holdings); ++i) {
    HAMI_TRY(auto holding, parse_holding(json_object_array_get_idx(holdings, i)));
    lease.holdings.push_back(std::move(holding));
  }
  return lease;
}

}  // namespace hami::state
