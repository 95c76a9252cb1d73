#include "runtime-shim/state/liveness.h"

#include <dirent.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/runtime_state_json.h"

namespace hami::state {

namespace {

constexpr std::size_t kMaxStateFile = 16U << 20U;

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

bool any_below(const std::string& dir, int depth) {
  if (const auto procs = files::read(dir + "/cgroup.procs", 1U << 20U); procs && !procs->empty()) return true;
  const std::unique_ptr<DIR, CloseDir> stream(::opendir(dir.c_str()));
  if (stream == nullptr || depth == 0) return false;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    if (any_below(text::cat({dir, "/", name}), depth - 1)) return true;
  }
  return false;
}

// Where runc and crun keep the containers of an engine that names no directory.
constexpr const char* kDefaultRoots[] = {"/run/runc", "/run/crun"};
// How long an engine may take from our hook to the low-level runtime; it lives on afterwards, and says
// nothing then.
constexpr std::uint64_t kEngineSeconds = 300;

bool is_being_created(const Lease& lease, const std::string& proc_dir) {
  if (lease.engine_root.empty() && uptime() > lease.created_uptime + kEngineSeconds) return false;
  const auto creator = start_time(lease.creator_pid, proc_dir);
  return creator && *creator == lease.creator_start;
}

Result<InitProcess> init_process_of(const Lease& lease) {
  if (!lease.engine_root.empty()) return read_init_process(lease.engine_root, lease.container_id);
  for (const char* root : kDefaultRoots) {
    auto found = read_init_process(root, lease.container_id);
    if (found || found.error().code != Errc::not_found) return found;
  }
  return fail(Errc::not_found, "no runtime knows the container");
}

}  // namespace

std::optional<std::uint64_t> start_time(int pid, const std::string& proc_dir) {
  const auto stat = files::read(text::cat({proc_dir, "/", std::to_string(pid), "/stat"}), 4096);
  if (!stat) return std::nullopt;
  // The program's name may hold blanks and parentheses; the fields are counted behind its last ')'.
  const auto name_end = stat->rfind(')');
  if (name_end == std::string::npos || name_end + 2 > stat->size()) return std::nullopt;
  const auto fields = text::split(std::string_view(*stat).substr(name_end + 2), ' ');
  constexpr std::size_t kState = 0;
  constexpr std::size_t kStartTime = 19;  // field 22, when the state is field 3
  if (fields.size() <= kStartTime || fields[kState] == "Z" || fields[kState] == "X") return std::nullopt;
  return text::parse_u64(fields[kStartTime]);
}

std::uint64_t uptime() {
  struct timespec now {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);  // cannot fail with this clock
  return static_cast<std::uint64_t>(now.tv_sec);
}

std::string boot_id(const std::string& proc_dir) {
  const auto id = files::read(proc_dir + "/sys/kernel/random/boot_id", 128);
  return id ? std::string(text::trim(*id)) : "";
}

Result<InitProcess> read_init_process(const std::string& engine_root, const std::string& container_id) {
  const std::string dir = text::cat({engine_root, "/", container_id});
  if (const auto text = files::read(dir + "/state.json", kMaxStateFile)) return parse_runc_state(*text);
  HAMI_TRY(const std::string text, files::read(dir + "/status", kMaxStateFile));
  return parse_crun_status(text);
}

bool has_processes(const std::string& cgroup_dir) { return !cgroup_dir.empty() && any_below(cgroup_dir, 6); }

namespace {

// It does not change while we live, and is asked for every lease.
std::string this_boot(const std::string& proc_dir) {
  if (proc_dir != "/proc") return boot_id(proc_dir);
  static const std::string boot = boot_id();
  return boot;
}

}  // namespace

bool is_stale(const Lease& lease, const std::string& proc_dir) {
  if (lease.damaged) return false;
  const std::string boot = this_boot(proc_dir);
  if (!boot.empty() && !lease.boot_id.empty() && boot != lease.boot_id) return true;
  if (is_being_created(lease, proc_dir)) return false;

  const auto init = init_process_of(lease);
  if (!init) return init.error().code == Errc::not_found;
  const auto running = start_time(init->pid, proc_dir);
  if (running && *running == init->start) return false;
  return !has_processes(init->cgroup);
}

}  // namespace hami::state
