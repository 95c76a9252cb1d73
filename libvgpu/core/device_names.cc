#include "libvgpu/core/device_names.h"

namespace hami::vgpu {
namespace {

// The part after "GPU-" or "MIG-".
std::string_view bare(std::string_view uuid) noexcept {
  if (uuid.size() > 4 && uuid[3] == '-') return {uuid.data() + 4, uuid.size() - 4};
  return uuid;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Item `wanted` of a comma list without blanks around it; empty when there is none.
std::string_view item(std::string_view list, int wanted) noexcept {
  std::size_t start = 0;
  for (std::size_t at = 0; at <= list.size(); ++at) {
    if (at != list.size() && list[at] != ',') continue;
    if (wanted-- == 0) {
      std::size_t end = at;
      while (start < end && list[start] == ' ') ++start;
      while (end > start && list[end - 1] == ' ') --end;
      return {list.data() + start, end - start};
    }
    start = at + 1;
  }
  return {};
}

// A small number without anything around it; -1 otherwise.
int number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 4) return -1;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// True when `text` is the beginning of a UUID, as CUDA_VISIBLE_DEVICES allows.
bool abbreviates(std::string_view text, std::string_view uuid) noexcept {
  const std::string_view a = bare(text);
  const std::string_view b = bare(uuid);
  if (a.empty() || a.size() > b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

bool same_uuid(std::string_view a, std::string_view b) noexcept {
  return bare(a).size() == bare(b).size() && abbreviates(a, b);
}

int index_from_lists(std::string_view visible, std::string_view uuids, int ordinal) noexcept {
  const std::string_view wanted = item(visible, ordinal);
  if (wanted.empty()) return ordinal;
  const int index = number(wanted);
  if (index >= 0) return index;
  for (int i = 0; i < static_cast<int>(abi::kMaxDevices) && !item(uuids, i).empty(); ++i) {
    if (abbreviates(wanted, item(uuids, i))) return i;
  }
  return ordinal;
}

}  // namespace hami::vgpu
