// Read-only typed access to the parts of a config.json that decide about devices.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/document.h"

namespace hami::oci {

struct Mount {
  std::string destination;
  std::string source;
  std::string type;
  std::vector<std::string> options;
  friend bool operator==(const Mount&, const Mount&) = default;
};

// Numbers of a character device that the container gets; 0 and 0 for anything else.
struct DeviceNumbers {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  friend bool operator==(const DeviceNumbers&, const DeviceNumbers&) = default;
};

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
};

// What a bundle says, copied out once. Types are checked: a wrong one is invalid_spec and names the member
// ("process.env[3] is not a string").
struct ContainerView {
  std::map<std::string, std::string> annotations;
  // process.env in order, split at the first '='. Of several entries with one name the last one counts, as in
  // runc and crun; `env` keeps all of them so that a device plugin's earlier value can still be seen. An
  // entry without '=' is a name with an empty value: whether it is allowed is for the low-level runtime to
  // say.
  std::vector<std::pair<std::string, std::string>> env;
  std::string rootfs;  // root.path as written: absolute, or relative to the bundle
  bool rootfs_readonly = false;
  std::uint32_t uid = 0;  // process.user
  std::uint32_t gid = 0;
  bool has_process = false;
  bool privileged = false;  // CAP_SYS_ADMIN in process.capabilities.bounding
  bool has_user_namespace = false;
  std::string user_namespace_path;  // of one that is joined; "" for a new one
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::vector<Mount> mounts;
  std::vector<std::string> device_paths;  // linux.devices[].path
  std::vector<DeviceNumbers> devices;     // of the same, in that order
  std::string cgroups_path;

  // Value of the last entry with this name.
  [[nodiscard]] std::optional<std::string_view> env_value(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> annotation(std::string_view key) const;
  // io.kubernetes.cri.container-type, io.kubernetes.cri-o.ContainerType or the dockershim label says
  // "sandbox".
  [[nodiscard]] bool is_sandbox() const;
  // Any kubelet-driven engine: one of the CRI annotations is present.
  [[nodiscard]] bool is_kubernetes() const;
};

// Fails with invalid_spec when something it reads has the wrong type; other members may be anything.
[[nodiscard]] Result<ContainerView> view(const Document& document);

// Cheap test on the raw text of a document, before any parsing. False means that no string in it contains one
// of `needles`, so a bundle can be handed on unread; true may be wrong. JSON can spell a needle with escapes:
// an escape that could stand for a byte of a needle makes the answer true, the \u0026 that Go writes for '&'
// does not.
[[nodiscard]] bool may_contain(std::string_view text, const std::vector<std::string_view>& needles);

}  // namespace hami::oci
