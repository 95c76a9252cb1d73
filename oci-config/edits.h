// What to add to a container: the vocabulary of CDI's containerEdits, plus what the OCI spec has and CDI
// lacks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/view.h"

namespace hami::oci {

enum class DeviceType : char { character = 'c', block = 'b' };

// A node in the container and the right to use it. The numbers are those of the host's node, already checked.
struct DeviceEdit {
  std::string path;  // in the container, absolute
  DeviceType type = DeviceType::character;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint32_t file_mode = 0666;
  std::optional<std::uint32_t> uid;  // none: root
  std::optional<std::uint32_t> gid;
  std::string access = "rw";  // letters of "rwm"; the cgroup rule for exactly this node
  friend bool operator==(const DeviceEdit&, const DeviceEdit&) = default;
};

struct EnvEdit {
  enum class Op { set, set_default, unset };
  std::string name;
  std::string value;
  Op op = Op::set;
  friend bool operator==(const EnvEdit&, const EnvEdit&) = default;
};

// Where a lifecycle hook runs. Source: runtime-spec 1.2, config.md, "POSIX-platform Hooks".
enum class HookStage { prestart, create_runtime, create_container, start_container, poststart, poststop };

struct HookEdit {
  HookStage stage = HookStage::create_container;
  std::string path;
  std::vector<std::string> args;  // args[0] included
  // Never empty: without env a createContainer hook inherits the image's variables.
  std::vector<std::string> env;
  int timeout_seconds = 0;  // 0: none
  friend bool operator==(const HookEdit&, const HookEdit&) = default;
};

struct ContainerEdits {
  std::vector<DeviceEdit> devices;
  std::vector<Mount> mounts;
  std::vector<EnvEdit> env;
  std::vector<HookEdit> hooks;
  std::vector<std::uint32_t> additional_gids;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::map<std::string, std::string> unified;  // files of the container's cgroup v2 ("dmem.max")
  std::vector<std::string> syscalls;           // that the container's own filter lets through
  std::vector<std::string> drop_hooks;         // base names of foreign hook programs to remove
  std::vector<Mount> drop_mounts;              // of the container: those with the same destination and source

  [[nodiscard]] bool empty() const;
  friend bool operator==(const ContainerEdits&, const ContainerEdits&) = default;
};

// What a system call's name is made of: lower-case letters, digits and '_'.
[[nodiscard]] bool is_syscall_name(std::string_view text);

// `more` after `edits`; an equal entry is kept once, a conflicting one (same device path with other numbers,
// same mount destination with another source, same variable with another value) is an invalid_request that
// shows both. After a failure `edits` has some of `more`.
[[nodiscard]] Result<> merge(ContainerEdits& edits, ContainerEdits more);

// Paths absolute and without "..", bind mounts with options that every runtime knows (an unknown one would be
// ignored, a misspelt "ro" too), variable names without '=' and NUL, access letters known, system calls named
// as such, hook paths absolute with args and env, time limits not negative. Fails with internal: edits are
// ours, not the user's.
[[nodiscard]] Result<> validate(const ContainerEdits& edits);

}  // namespace hami::oci
