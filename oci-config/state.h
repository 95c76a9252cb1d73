// The container state that a lifecycle hook reads on its standard input.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami::oci {

// Source: runtime-spec 1.2, runtime.md, "State"; `root` is crun's extension.
struct HookState {
  std::string oci_version;
  std::string id;
  std::string status;
  int pid = 0;  // 0 when absent; 1 or 0 in createContainer hooks
  std::string bundle;
  std::string root;  // rootfs on the host; empty when the runtime does not say
  std::map<std::string, std::string> annotations;
};

inline constexpr std::size_t kMaxStateBytes = 1U << 20U;

// Fails with invalid_spec when `text` is not an object or id or bundle is missing or of another type.
[[nodiscard]] Result<HookState> parse_state(std::string_view text);

}  // namespace hami::oci
