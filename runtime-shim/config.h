// The node's configuration: /etc/hami/config.toml.
#pragma once

#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/low_level/program_dirs.h"
#include "runtime-shim/request/policy.h"
#include "vendors/cdi_inject.h"
#include "vendors/discovery.h"

namespace hami::shim {

inline constexpr const char* kConfigPath = "/etc/hami/config.toml";
inline constexpr const char* kConfigVariable = "HAMI_CONFIG_FILE";  // of the engine, not of a container
inline constexpr std::size_t kMaxConfigBytes = 256U << 10U;

// Programs and files of ours that a container's bundle refers to.
struct Paths {
  std::string hook = "/usr/bin/hami-hook";
  std::string libvgpu = "/usr/lib/hami/libvgpu.so";
  friend bool operator==(const Paths&, const Paths&) = default;
};

struct Config {
  // Names or absolute paths, the first that exists.
  std::vector<std::string> low_level{std::begin(kDefaultPrograms), std::end(kDefaultPrograms)};
  std::string log;           // file for our own errors; empty: none
  vendors::HostRoots roots;  // state_dir is [roots] state
  Paths paths;
  std::vector<std::string> cdi_dirs = vendors::kCdiDirectories;
  std::vector<std::string> recipe_dirs = {"/usr/share/hami/vendors", "/etc/hami/vendors.d"};
  std::string kubelet_checkpoint;  // file with the device plugins' answers; empty: not looked at
  Policy policy;
};

// Strict: an unknown section or key, a wrong type or a value out of range is an invalid_config that names
// file, line and key. What is not there keeps its default.
[[nodiscard]] Result<Config> parse_config(std::string_view toml, std::string_view file_name);

// The file at `path`; one that does not exist gives the defaults. It must belong to root (or to our user) and
// not be writable by others: it says which programs run as root.
[[nodiscard]] Result<Config> load_config(const std::string& path);

// kConfigPath, or what kConfigVariable names.
[[nodiscard]] std::string config_path();

}  // namespace hami::shim
