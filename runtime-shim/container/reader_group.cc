#include "runtime-shim/container/reader_group.h"

#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::shim {

namespace {

constexpr std::size_t kMaxMap = 1U << 20U;
constexpr const char* kNeedsRoot = "map group 0 of the container, or run it without a user namespace";

std::optional<gid_t> host_group_of_root(const std::vector<oci::IdMapping>& mappings) {
  const auto found = std::find_if(mappings.begin(), mappings.end(), [](const oci::IdMapping& mapping) {
    return mapping.container_id == 0 && mapping.size > 0;
  });
  if (found == mappings.end()) return std::nullopt;
  return found->host_id;
}

// The gid_map file that belongs to a path /proc/PID/ns/user; "" for other paths.
std::string map_of(std::string_view path) {
  constexpr std::string_view kPrefix = "/proc/";
  constexpr std::string_view kSuffix = "/ns/user";
  if (path.size() <= kPrefix.size() + kSuffix.size() || path.substr(0, kPrefix.size()) != kPrefix ||
      path.substr(path.size() - kSuffix.size()) != kSuffix) {
    return {};
  }
  const auto pid = path.substr(kPrefix.size(), path.size() - kPrefix.size() - kSuffix.size());
  if (!text::parse_u64(pid)) return {};
  return text::cat({kPrefix, pid, "/gid_map"});
}

// Source: user_namespaces(7): each line is "first inside, first outside, count", outside as the reader sees
// it.
std::optional<gid_t> parse_map(std::string_view map) {
  for (const auto line : text::split(map, '\n')) {
    std::vector<std::uint64_t> numbers;
    for (const auto word : text::split(line, ' ')) {
      if (const auto number = text::parse_u64(word)) numbers.push_back(*number);
    }
    if (numbers.size() == 3 && numbers[0] == 0 && numbers[2] > 0) return static_cast<gid_t>(numbers[1]);
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<gid_t>> reader_group(const oci::ContainerView& view) {
  if (!view.has_user_namespace) return std::optional<gid_t>();
  if (const auto group = host_group_of_root(view.gid_mappings)) return std::optional<gid_t>(group);
  if (view.user_namespace_path.empty() || !view.gid_mappings.empty())
    return fail(Errc::invalid_spec, "linux.gidMappings has no group 0", kNeedsRoot);
  const std::string map_path = map_of(view.user_namespace_path);
  if (map_path.empty()) {
    return fail(Errc::invalid_spec,
                text::cat({"the mapping of the user namespace ", text::quote(view.user_namespace_path),
                           " is not in linux.gidMappings"}),
                "name the namespace as /proc/PID/ns/user, or give its mapping too");
  }
  HAMI_TRY(const std::string map, files::read(map_path, kMaxMap));
  if (const auto group = parse_map(map)) return std::optional<gid_t>(group);
  return fail(Errc::invalid_spec, text::cat({text::quote(map_path), " has no group 0"}), kNeedsRoot);
}

}  // namespace hami::shim
