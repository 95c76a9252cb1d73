// What device plugins and schedulers write on a node: its devices, its lock, the weights of a score.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::schedulers {

// One device as its plugin registered it.
struct NodeDevice {
  std::string id;
  std::int32_t count = 0;   // containers that may share it
  std::int32_t memory = 0;  // MiB, scaled
  std::int32_t cores = 0;   // percent, scaled
  std::string type;         // "NVIDIA-Tesla V100-PCIE-32GB"
  std::int32_t numa = 0;
  bool healthy = false;
  std::uint32_t index = 0;
  std::string mode = "hami-core";
  friend bool operator==(const NodeDevice&, const NodeDevice&) = default;
};

// Text form: entries of 7 or 9 fields, each ended by ':'. Fails with invalid_request, naming entry and text,
// on other numbers of fields, numbers that are none, a negative index, and a text without any ':'.
// Source: HAMi up to 2.7, hami.io/node-nvidia-register and its kind.
[[nodiscard]] Result<std::vector<NodeDevice>> parse_register(std::string_view value);
[[nodiscard]] std::string encode_register(const std::vector<NodeDevice>& devices);

// JSON form of HAMi 2.8 and later: members that are zero are left out, and a device without "health" is not
// healthy.
[[nodiscard]] Result<std::vector<NodeDevice>> parse_register_json(std::string_view value);
[[nodiscard]] std::string encode_register_json(const std::vector<NodeDevice>& devices);

// hami.io/mutex.lock: since when, and whose Pod holds it; older schedulers wrote the time alone.
struct NodeLock {
  std::string since;  // RFC 3339
  std::string name_space;
  std::string pod;
  friend bool operator==(const NodeLock&, const NodeLock&) = default;
};
[[nodiscard]] Result<NodeLock> parse_node_lock(std::string_view value);
[[nodiscard]] std::string encode_node_lock(const NodeLock& lock);

// hami.io/device-scoring-weights: all three, in any order, not all 0.
struct ScoringWeights {
  std::uint64_t slot = 0;
  std::uint64_t core = 0;
  std::uint64_t memory = 0;
  friend bool operator==(const ScoringWeights&, const ScoringWeights&) = default;
};
[[nodiscard]] Result<ScoringWeights> parse_scoring_weights(std::string_view value);
[[nodiscard]] std::string encode_scoring_weights(const ScoringWeights& weights);

}  // namespace hami::schedulers
