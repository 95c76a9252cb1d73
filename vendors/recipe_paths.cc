// Paths that no recipe may name, whatever it is for: a mistake or a hostile overlay must not open the host.
#include <algorithm>
#include <array>

#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

// Sources that would hand the container the host itself, its secrets, or the engine's control socket.
constexpr std::array<std::string_view, 12> kHostDirectories{
    "/", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/var", "/run", "/var/run", "/dev", "/opt"};
constexpr std::array<std::string_view, 19> kHostTrees{"/root",
                                                      "/home",
                                                      "/boot",
                                                      "/proc",
                                                      "/sys",
                                                      "/var/lib/docker",
                                                      "/var/lib/kubelet",
                                                      "/var/lib/containerd",
                                                      "/var/lib/containers",
                                                      "/run/containerd",
                                                      "/run/docker.sock",
                                                      "/run/crio",
                                                      "/run/podman",
                                                      "/run/systemd",
                                                      "/run/dbus",
                                                      "/run/hami",
                                                      "/etc/shadow",
                                                      "/etc/hami",
                                                      "/etc/kubernetes"};

// Destinations that belong to the engine or to the image, and /etc/ld.so.preload, which the runtime itself
// makes.
constexpr std::array<std::string_view, 26> kContainerPaths{"/",
                                                           "/proc",
                                                           "/sys",
                                                           "/dev",
                                                           "/run",
                                                           "/etc",
                                                           "/usr",
                                                           "/usr/bin",
                                                           "/usr/lib",
                                                           "/bin",
                                                           "/sbin",
                                                           "/lib",
                                                           "/lib64",
                                                           "/var",
                                                           "/tmp",
                                                           "/home",
                                                           "/root",
                                                           "/opt",
                                                           "/boot",
                                                           "/etc/passwd",
                                                           "/etc/shadow",
                                                           "/etc/group",
                                                           "/etc/hosts",
                                                           "/etc/hostname",
                                                           "/etc/resolv.conf",
                                                           "/etc/ld.so.preload"};
constexpr std::array<std::string_view, 3> kContainerTrees{"/proc", "/sys", "/usr/local/vgpu"};

// Nodes that give the whole machine.
constexpr std::array<std::string_view, 8> kDeviceNodes{"/dev/mem",     "/dev/kmem", "/dev/port",
                                                       "/dev/kmsg",    "/dev/fuse", "/dev/net/tun",
                                                       "/dev/console", "/dev/null"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& list, std::string_view path) {
  return std::find(list.begin(), list.end(), path) != list.end();
}

template <std::size_t N>
bool is_below(const std::array<std::string_view, N>& trees, std::string_view path) {
  return std::any_of(trees.begin(), trees.end(), [path](std::string_view tree) {
    return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
  });
}

}  // namespace

std::string_view malformed_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return "must be absolute";
  if (path == "/") return {};
  std::size_t at = 1;
  while (true) {
    const auto end = path.find('/', at);
    const auto part = path.substr(at, end == std::string_view::npos ? end : end - at);
    if (part.empty()) return "has an empty component";
    if (part == "." || part == "..") return "must not have '.' or '..'";
    if (end == std::string_view::npos) return {};
    at = end + 1;
  }
}

std::string_view forbidden_host_path(std::string_view path) {
  if (const auto why = malformed_path(path); !why.empty()) return why;
  std::string_view plain = path;
  if (plain.starts_with("/var/run/")) plain.remove_prefix(4);
  if (is_one_of(kHostDirectories, path) || is_below(kHostTrees, plain))
    return "must not be given to a container";
  return {};
}

std::string_view forbidden_container_path(std::string_view path) {
  if (const auto why = malformed_path(path); !why.empty()) return why;
  if (is_one_of(kContainerPaths, path) || is_below(kContainerTrees, path))
    return "must not be covered in a container";
  return {};
}

std::string_view forbidden_device_path(std::string_view path) {
  if (const auto why = malformed_path(path); !why.empty()) return why;
  if (!path.starts_with("/dev/")) return "must be below /dev";
  if (is_one_of(kDeviceNodes, path)) return "must not be given to a container";
  return {};
}

}  // namespace hami::vendors
