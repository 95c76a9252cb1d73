// Values as bytes and back, for files of ours that only this build of the program reads. What a type consists
// of is told by a function members(archive, value) beside it, which both ways share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "oci-config/base/units.h"

namespace hami::vendors {

inline constexpr std::uint32_t kMaxItems = 100'000;

template <typename T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Packer {
 public:
  template <typename... T>
  void operator()(T&... values) {
    (put(values), ...);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  template <Plain T>
  void put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void put(std::string& text) { put(std::as_const(text)); }
  void put(Bytes& bytes) { put(bytes.value); }
  void put(Percent& percent) { put(percent.value); }
  template <typename T>
  void put(std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (auto& item : list) put(item);
  }
  template <typename T>
  void put(std::map<std::string, T>& map) {
    put(static_cast<std::uint32_t>(map.size()));
    for (auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }
  template <typename T>
  void put(std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename T>
  requires(!Plain<T>) void put(T& object) { members(*this, object); }

  std::string out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}
  template <typename... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  // Everything was there and nothing is left.
  [[nodiscard]] bool is_done() const { return !broken_ && rest_.empty(); }
  [[nodiscard]] bool is_broken() const { return broken_; }
  // How many things follow.
  std::uint32_t count() {
    std::uint32_t value = 0;
    get(value);
    if (value > kMaxItems) broken_ = true;
    return broken_ ? 0 : value;
  }
  // What was put as a text, unread.
  std::string_view skip() {
    std::uint32_t size = 0;
    get(size);
    return cut(size);
  }

 private:
  std::string_view cut(std::size_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      rest_ = {};
      return {};
    }
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  template <Plain T>
  void get(T& value) {
    const auto part = cut(sizeof value);
    if (!broken_) std::memcpy(&value, part.data(), sizeof value);
  }
  void get(bool& value) {
    std::uint8_t byte = 0;
    get(byte);
    value = byte != 0;
  }
  void get(std::string& text) { text = skip(); }
  void get(Bytes& bytes) { get(bytes.value); }
  void get(Percent& percent) { get(percent.value); }
  template <typename T>
  void get(std::vector<T>& list) {
    const std::uint32_t size = count();
    for (std::uint32_t i = 0; i < size && !broken_; ++i) get(list.emplace_back());
  }
  template <typename T>
  void get(std::map<std::string, T>& map) {
    const std::uint32_t size = count();
    for (std::uint32_t i = 0; i < size && !broken_; ++i) {
      std::string key;
      get(key);
      get(map[std::move(key)]);
    }
  }
  template <typename T>
  void get(std::optional<T>& value) {
    bool has = false;
    get(has);
    if (has) get(value.emplace());
  }
  template <typename T>
  void get(T& object) {
    members(*this, object);
  }

  std::string_view rest_;
  bool broken_ = false;
};

// The members of every type of a recipe, in one order for writing and reading.

}  // namespace hami::vendors
