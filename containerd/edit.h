// What an engine's configuration looks like with our runtime in it. Pure: text in, text out; files are
// hamictl's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::containerd {

struct EngineOptions {
  std::string runtime_name = "hami";
  std::string runtime_path = "/usr/bin/hami-runtime";
  bool set_default = false;
  bool enable_cdi = false;
  // containerd: the file is a template of k3s or RKE2, from which they write config.toml at every start; and
  // the version of what it makes, unless it has a version line.
  bool is_template = false;
  int template_version = 2;
  friend bool operator==(const EngineOptions&, const EngineOptions&) = default;
};

// Annotations of Pods and containers that a request, or a scheduler's answer to one, may be in. Shell
// patterns as containerd matches them: '*' does not cross a '/'.
[[nodiscard]] const std::vector<std::string>& annotation_patterns();

// Docker's daemon.json. "" gives a new file. Members that are not ours keep their bytes; "runtimes": null is
// read as absent. Fails with invalid_config on text that Docker would not read, or when a member has another
// type.
[[nodiscard]] Result<std::string> add_to_docker(std::string_view text, const EngineOptions& options);
// The same file without our runtime, and without a default-runtime that names it.
[[nodiscard]] Result<std::string> remove_from_docker(std::string_view text, const EngineOptions& options);

// containerd's config.toml, versions 1 to 4. Ours is one block between two marker comments at the end;
// comments, order and everything else stay. A `runc` handler is added when the file has none: containerd 1.6
// and 1.7 do not start their CRI plugin without it. Fails with invalid_config, naming the line, on text that
// is not TOML; when the runtimes are written as inline tables; when another runtime already has our name;
// when k3s or RKE2 wrote the file, because they write it again. In a template only text is added, and our
// runtime cannot become the default. Source: containerd, docs/cri/config.md; observed with 1.6.20 and 1.7.
[[nodiscard]] Result<std::string> add_to_containerd(std::string_view text, const EngineOptions& options);
[[nodiscard]] Result<std::string> remove_from_containerd(std::string_view text, const EngineOptions& options);

// Drop-in files that are ours alone.
[[nodiscard]] std::string crio_drop_in(const EngineOptions& options);
[[nodiscard]] std::string podman_drop_in(const EngineOptions& options);
// Whether one of these, as written earlier, made our runtime the default.
[[nodiscard]] bool drop_in_sets_default(std::string_view text, const EngineOptions& options);

}  // namespace hami::containerd
