#include "runtime-shim/schedulers/node_texts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "oci-config/base/text.h"
#include "runtime-shim/schedulers/number.h"

namespace hami::schedulers {

namespace {

tl::unexpected<Error> bad_entry(std::size_t index, std::string_view why, std::string_view text) {
  return fail(Errc::invalid_request, text::cat({"device ", text::number(index), " of the node: ", why, " in ",
                                                text::quote(text, 100)}));
}

// What Go's ParseBool accepts.
std::optional<bool> parse_bool(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "True", "TRUE"};
  constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "False", "FALSE"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  return std::nullopt;
}

Result<NodeDevice> parse_entry(std::string_view entry, std::size_t index) {
  const auto fields = text::split(entry, ',');
  if (fields.size() != 7 && fields.size() != 9) {
    return bad_entry(index, text::cat({text::number(fields.size()), " fields instead of 7 or 9"}), entry);
  }
  NodeDevice device;
  device.id = fields[0];
  device.type = fields[4];
  const std::pair<std::size_t, std::int32_t*> numbers[] = {
      {1, &device.count}, {2, &device.memory}, {3, &device.cores}, {5, &device.numa}};
  for (const auto& [field, into] : numbers) {
    const auto number = parse_int32(fields[field]);
    if (!number) return bad_entry(index, text::cat({"bad number ", text::quote(fields[field], 40)}), entry);
    *into = *number;
  }
  const auto healthy = parse_bool(fields[6]);
  if (!healthy) return bad_entry(index, text::cat({"bad health ", text::quote(fields[6], 40)}), entry);
  device.healthy = *healthy;
  if (fields.size() == 7) return device;
  const auto position = parse_int32(fields[7]);
  if (!position || *position < 0)
    return bad_entry(index, text::cat({"bad index ", text::quote(fields[7], 40)}), entry);
  device.index = static_cast<std::uint32_t>(*position);
  device.mode = fields[8];
  return device;
}

}  // namespace

Result<std::vector<NodeDevice>> parse_register(std::string_view value) {
  if (value.find(':') == std::string_view::npos) return bad_entry(0, "no ':'", value);
  std::vector<NodeDevice> out;
  for (const std::string_view entry : text::split(value, ':')) {
    if (entry.empty()) continue;
    HAMI_TRY(auto device, parse_entry(entry, out.size()));
    out.push_back(std::move(device));
  }
  return out;
}

std::string encode_register(const std::vector<NodeDevice>& devices) {
  std::string out;
  for (const NodeDevice& device : devices) {
    out += text::cat({device.id, ",", std::to_string(device.count), ",", std::to_string(device.memory), ",",
                      std::to_string(device.cores), ",", device.type, ",", std::to_string(device.numa), ",",
                      device.healthy ? "true" : "false", ",", text::number(device.index), ",", device.mode,
                      ":"});
  }
  return out;
}

Result<NodeLock> parse_node_lock(std::string_view value) {
  const auto parts = text::split(value, ',');
  const bool empty =
      std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty(); });
  if (empty || (parts.size() != 1 && parts.size() != 3)) {
    return fail(Errc::invalid_request,
                text::cat({"annotation 'hami.io/mutex.lock': ", text::quote(value, 100),
                           " is neither a time nor time,namespace,pod"}));
  }
  if (parts.size() == 1) return NodeLock{std::string(parts[0]), "", ""};
  return NodeLock{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
}

std::string encode_node_lock(const NodeLock& lock) {
  if (lock.pod.empty()) return lock.since;
  return text::cat({lock.since, ",", lock.name_space, ",", lock.pod});
}

Result<ScoringWeights> parse_scoring_weights(std::string_view value) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid_request, text::cat({"annotation 'hami.io/device-scoring-weights': ", why,
                                                  " in ", text::quote(value, 100)}));
  };
  std::optional<std::uint64_t> slot;
  std::optional<std::uint64_t> core;
  std::optional<std::uint64_t> memory;
  for (const std::string_view pair : text::split(value, ',')) {
    const std::string_view one = text::trim(pair);
    const auto equals = one.find('=');
    if (equals == std::string_view::npos) return bad("a pair without '='");
    const std::string_view name = one.substr(0, equals);
    auto* into = name == "slot" ? &slot : name == "core" ? &core : name == "memory" ? &memory : nullptr;
    if (into == nullptr) return bad(text::cat({"unknown weight ", text::quote(name, 40)}));
    if (*into) return bad(text::cat({text::quote(name), " twice"}));
    *into = text::parse_u64(one.substr(equals + 1));
    if (!*into) return bad(text::cat({text::quote(name), " is not a number from 0 up"}));
  }
  if (!slot || !core || !memory) return bad("not all of slot, core and memory");
  if (*slot == 0 && *core == 0 && *memory == 0) return bad("nothing but 0");
  return ScoringWeights{*slot, *core, *memory};
}

std::string encode_scoring_weights(const ScoringWeights& weights) {
  return text::cat({"slot=", text::number(weights.slot), ",core=", text::number(weights.core),
                    ",memory=", text::number(weights.memory)});
}

}  // namespace hami::schedulers
