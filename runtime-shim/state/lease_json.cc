#include "runtime-shim/state/lease_json.h"

#include <utility>

#include "oci-config/base/text.h"
#include "runtime-shim/state/json_reader.h"

namespace hami::state {

namespace {

tl::unexpected<Error> bad_member(const std::string& name) {
  return fail(Errc::io, text::cat({"not a lease: member ", text::quote(name), " is missing or wrong"}));
}

}  // namespace

json_object* holding_object(const Holding& holding) {
  json_object* object = json_object_new_object();
  add_text(object, "vendor", holding.vendor);
  add_text(object, "device", holding.device);
  add_number(object, "memory", holding.memory.value);
  add_number(object, "cores", holding.cores.value);
  json_object_object_add(object, "exclusive", json_object_new_boolean(holding.exclusive ? 1 : 0));
  if (holding.engine) json_object_object_add(object, "engine", json_object_new_boolean(1));
  if (!holding.mode.empty()) add_text(object, "mode", holding.mode);
  if (holding.slot != 0) add_number(object, "slot", holding.slot);
  if (holding.parts.any()) add_text(object, "parts", list_parts(holding.parts));
  return object;
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
  const auto parts = parse_parts(reader.text_or_empty("parts"));
  holding.engine = reader.flag_or_false("engine");
  holding.mode = reader.text_or_empty("mode");
  if (reader.wrong_member()) return bad_member("holdings." + *reader.wrong_member());
  if (!parts) return bad_member("holdings.parts");
  holding.parts = *parts;
  return holding;
}

std::string to_json(const Lease& lease) {
  const Json root(json_object_new_object());
  add_text(root.get(), "key", lease.key);
  add_text(root.get(), "container", lease.container_id);
  add_text(root.get(), "engineRoot", lease.engine_root);
  add_text(root.get(), "bundle", lease.bundle);
  add_text(root.get(), "source", lease.source);
  if (!lease.pod_namespace.empty()) add_text(root.get(), "namespace", lease.pod_namespace);
  add_text(root.get(), "bootId", lease.boot_id);
  add_number(root.get(), "creatorPid", static_cast<std::uint64_t>(lease.creator_pid));
  add_number(root.get(), "creatorStart", lease.creator_start);
  add_number(root.get(), "createdAt", static_cast<std::uint64_t>(lease.created_at));
  add_number(root.get(), "createdUptime", lease.created_uptime);
  json_object* holdings = json_object_new_array();
  for (const Holding& holding : lease.holdings) json_object_array_add(holdings, holding_object(holding));
  json_object_object_add(root.get(), "holdings", holdings);
  return written(root.get());
}

Result<Lease> parse_lease(std::string_view text) {
  const Json root = parsed(text);
  if (!json_object_is_type(root.get(), json_type_object))
    return fail(Errc::io, "not a lease: no JSON object");

  Reader reader(root.get());
  Lease lease;
  lease.key = reader.text("key");
  lease.container_id = reader.text("container");
  lease.engine_root = reader.text("engineRoot");
  lease.bundle = reader.text("bundle");
  lease.source = reader.text("source");
  lease.pod_namespace = reader.text_or_empty("namespace");
  lease.boot_id = reader.text("bootId");
  lease.creator_pid = static_cast<int>(reader.number("creatorPid", INT32_MAX));
  lease.creator_start = reader.number("creatorStart");
  lease.created_at = static_cast<std::int64_t>(reader.number("createdAt", INT64_MAX));
  lease.created_uptime = reader.number_or_0("createdUptime", UINT32_MAX);
  json_object* holdings = reader.array("holdings");
  if (reader.wrong_member()) return bad_member(*reader.wrong_member());
  for (std::size_t i = 0; i < json_object_array_length(holdings); ++i) {
    HAMI_TRY(auto holding, parse_holding(json_object_array_get_idx(holdings, i)));
    lease.holdings.push_back(std::move(holding));
  }
  return lease;
}

}  // namespace hami::state
