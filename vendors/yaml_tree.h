// The part of YAML that recipes use, as a tree with positions: maps, lists and scalars, nothing that can
// refer to something else. The only file that knows libyaml is yaml_tree.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors::yaml {

// Limits: above any sensible recipe, far below what could hurt.
inline constexpr std::size_t kMaxBytes = 1U << 20U;
inline constexpr int kMaxDepth = 32;
inline constexpr std::size_t kMaxNodes = 50'000;
inline constexpr std::size_t kMaxKeys = 512;  // of one map
inline constexpr std::size_t kMaxScalarBytes = 4096;

// Both count from 1; the column in characters.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
  friend bool operator==(const Position&, const Position&) = default;
};

struct Key {
  std::string text;
  Position at;
};

struct Node {
  enum class Kind { scalar, list, map };
  Kind kind = Kind::scalar;
  Position at;
  std::string text;       // scalar
  bool plain = false;     // scalar without quotes, on one line
  std::vector<Key> keys;  // map: keys[i] belongs to children[i]; no two are equal
  std::vector<Node> children;

  // The value of a key; null when this is not a map or has no such key.
  [[nodiscard]] const Node* find(std::string_view key) const;
};

// "<file>:<line>:<column>: <cause>", invalid_config.
[[nodiscard]] Error error_at(std::string_view file, Position at, std::string_view cause,
                             std::string hint = {});

// One document whose top is a map. Refused: anchors, aliases, tags, merge keys, directives, keys that are not
// scalars, duplicate keys, control characters, text that is not UTF-8, and everything beyond the limits
// above.
[[nodiscard]] Result<Node> parse(std::string_view text, std::string_view file);

}  // namespace hami::vendors::yaml
