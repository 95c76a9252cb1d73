// `hamictl configure`: our runtime in an engine's configuration file, and out of it again.
#pragma once

#include <string>

#include "containerd/edit.h"
#include "oci-config/base/result.h"

namespace hami::hamictl {

enum class Engine { docker, containerd, crio, podman };

struct ConfigureRequest {
  Engine engine = Engine::docker;
  containerd::EngineOptions options;
  std::string config;                              // the file; empty: where the engine looks by default
  std::string memory = "/var/lib/hami/configure";  // what the file was before, for undo
  bool dry_run = false;
  bool undo = false;
  bool reload = false;
};

// What was done, for the user.
struct ConfigureReport {
  std::string file;
  std::string diff;  // unified; "" when nothing changed
  std::string next;  // what the engine needs to take it up; "" when nothing
};

// Fails with invalid_config when `name` is none of docker, containerd, crio, podman.
[[nodiscard]] Result<Engine> parse_engine(std::string_view name);

// Edits or, with `undo`, restores the file: byte for byte when nobody changed it since, else by taking out
// what is ours. A file that cannot be understood is left as it is. The file keeps mode and owner and is
// replaced atomically.
[[nodiscard]] Result<ConfigureReport> configure(const ConfigureRequest& wanted);

}  // namespace hami::hamictl
