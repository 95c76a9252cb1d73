#include "vendors/device_probe.h"

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/probe_process.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxCacheBytes = 1U << 20U;

// Changes whenever the file is replaced or rewritten.
std::string identity(const struct stat& info) {
  const auto number = [](auto value) { return text::number(static_cast<std::uint64_t>(value)); };
  return text::cat({number(info.st_dev), ":", number(info.st_ino), ":", number(info.st_size), ":",
                    number(info.st_mtim.tv_sec), ".", number(info.st_mtim.tv_nsec)});
}

std::string identity(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? identity(info) : "none";
}

// The library by the name programs load it under ("libnvidia-ml.so.1"), whatever its version.
std::optional<HostFile> find_library(const LibraryIndex& libraries, const std::string& name) {
  const auto found = libraries.find({name.substr(0, name.find(".so")), "", "", false});
  return found ? std::optional<HostFile>(found->file) : libraries.find_plain(name);
}

std::string cache_path(const Recipe& recipe, const HostRoots& roots) {
  return text::cat({roots.state_dir, "/inventory/", recipe.metadata.name, ".json"});
}

std::optional<ProbeAnswer> kept_answer(const std::string& path, const std::string& key) {
  const auto json = files::read_trusted(path, kMaxCacheBytes, files::Trust::root_owned);
  if (!json) return std::nullopt;
  auto answer = parse_probe_answer(*json);
  if (!answer || answer->key != key) return std::nullopt;
  return std::move(*answer);
}

void keep(const std::string& path, const ProbeAnswer& answer) {
  if (!files::make_dirs(files::dir_name(path), 0700)) return;
  static_cast<void>(files::write_atomic(path, to_json(answer), 0600));
}

}  // namespace

Result<std::vector<ProbedDevice>> probe_devices(const Recipe& recipe, const HostRoots& roots,
                                                const LibraryIndex& libraries, const std::string& facts) {
  const auto& probe = recipe.devices.probe;
  if (probe.adapter.empty()) return std::vector<ProbedDevice>{};
  std::optional<HostFile> library;
  for (const auto& name : probe.libraries) {
    if (!library) library = find_library(libraries, name);
  }
  if (!library) return std::vector<ProbedDevice>{};

  const auto boot = files::read(roots.proc + "/sys/kernel/random/boot_id", 256);
  const std::string key =
      text::cat({probe.adapter, " facts=", text::hex64(text::fnv1a(facts)),
                 " boot=", boot ? text::trim(*boot) : "unknown", " probe=", identity(roots.probe_program),
                 " library=", library->host_path, ":", identity(library->info)});
  const std::string path = cache_path(recipe, roots);
  if (auto kept = kept_answer(path, key)) return std::move(kept->devices);

  HAMI_TRY(const auto json,
           run_probe(roots.probe_program, {probe.adapter, library->host_path}, kProbeTimeoutMs));
  HAMI_TRY(auto answer, parse_probe_answer(json));
  answer.key = key;
  keep(path, answer);
  return std::move(answer.devices);
}

}  // namespace hami::vendors
