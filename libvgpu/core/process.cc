#include "libvgpu/core/process.h"

#include <cstdlib>
#include <string_view>

#include "libvgpu/core/log.h"
#include "libvgpu/core/page_file.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/cuda/stock.h"
#include "libvgpu/entry/family.h"

// What pthread_atfork() of a program calls; the library function itself is not in every libc.so.6.
extern "C" __attribute__((weak)) int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(),
                                                       void* object) noexcept;

namespace hami::vgpu {

constinit Process g_process;

namespace {

const char* look_up(const char* name) noexcept { return ::secure_getenv(name); }

// A percentage of one to three digits; 0 for anything else.
std::uint64_t read_percent(const char* text) noexcept {
  std::uint64_t value = 0;
  if (text == nullptr) return 0;
  for (unsigned i = 0; text[i] != '\0'; ++i) {
    if (i == 3 || text[i] < '0' || text[i] > '9') return 0;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  return value;
}

void after_fork_in_child() noexcept { forget_in_family(forget_process); }

// What HAMi's monitor shows of this container besides memory. The core limits themselves are held elsewhere.
RegionSettings region_settings() noexcept {
  RegionSettings settings;
  const abi::SliceFile& slice = g_process.limits.slice();
  const bool has_slice = g_process.limits.source() == LimitSource::slice;
  const std::uint64_t variable = read_percent(look_up("CUDA_DEVICE_SM_LIMIT"));
  for (unsigned i = 0; i < abi::kRegionDevices; ++i) {
    const std::uint64_t percent = has_slice ? slice.devices[i].core_limit : variable;
    settings.sm_limit[i] = percent == 0 ? 100 : percent;
  }
  const char* priority = look_up("CUDA_TASK_PRIORITY");
  if (priority != nullptr && *priority >= '0' && *priority <= '9') settings.priority = *priority - '0';
  if (has_slice) settings.priority = slice.priority;
  return settings;
}

// The region shows the limits of the first process; later ones leave it alone, since the monitor may have
// changed it.
void write_limits(void* settings) noexcept {
  std::uint64_t limits[abi::kMaxDevices];
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) limits[i] = g_process.limits.memory(i);
  g_process.region.reset(limits, *static_cast<const RegionSettings*>(settings));
}

void start_mirror(RegionSettings settings) noexcept {
  g_process.account.mirror_to(g_process.region, write_limits, &settings);
  const abi::SliceFile& slice = g_process.limits.slice();
  for (unsigned i = 0; i < slice.device_count; ++i) g_process.region.name_device(i, slice.devices[i].uuid);
}

// Without a slice the region and the page share one file, whose name HAMi's variable tells.
bool open_alone(const char* path) noexcept {
  if (path == nullptr || *path == '\0') path = kSharedCacheDefault;
  const RegionSettings settings = region_settings();
  // Every descriptor is closed before the account takes its locks: closing one later would drop them.
  if (!g_process.region.open(path, settings) || !create_page_file(path, abi::kPageAfterRegion)) return false;
  if (!g_process.account.open(path, abi::kPageAfterRegion)) return false;
  start_mirror(settings);
  g_process.limits.follow(g_process.region.limits());
  return true;
}

// A copy of this library in another name space opened the page.
bool share_page(const Process& first) noexcept {
  if (first.mode.load(std::memory_order_acquire) != Mode::on || !g_process.account.share(first.account)) {
    log(LogLevel::error, "limits cannot be held in this name space; CUDA memory calls there fail");
    return false;
  }
  g_process.region = first.region;
  g_process.limits.follow_as(first.limits);
  return true;
}

bool open_page(LimitSource source) noexcept {
  if (const Process* first = first_process()) return share_page(*first);
  const char* path = look_up(kSharedCacheVariable);
  if (source != LimitSource::slice) return open_alone(path);
  if (!g_process.account.open(abi::kUsagePath, 0)) return false;
  // A region that cannot be made costs a line in the log and nothing else: the limits do not depend on it.
  if (path != nullptr && *path != '\0' && g_process.region.open(path, region_settings())) {
    start_mirror(region_settings());
  }
  return true;
}

// HAMi's variable, for where there is no slice.
abi::CorePolicy read_core_policy() noexcept {
  const char* word = look_up("GPU_CORE_UTILIZATION_POLICY");
  if (word == nullptr) return abi::CorePolicy::work_conserving;
  const std::string_view text = word;
  if (text == "force" || text == "FORCE") return abi::CorePolicy::force;
  if (text == "disable" || text == "DISABLE") return abi::CorePolicy::disable;
  return abi::CorePolicy::work_conserving;
}

void start_pacing(LimitSource source) noexcept {
  g_process.environment_policy = read_core_policy();
  if (source == LimitSource::slice) {
    g_process.board = open_board(abi::kBoardPath, g_process.board_inode);
  }
  update_pacing();
}

Mode find_mode() noexcept {
  const LimitSource source = g_process.limits.load(abi::kSlicePath, look_up);
  if (source == LimitSource::none) return Mode::off;
  if (source == LimitSource::unusable || !open_page(source)) return Mode::unusable;
  start_pacing(source);
  if (__register_atfork != nullptr) __register_atfork(nullptr, nullptr, after_fork_in_child, nullptr);
  return Mode::on;
}

}  // namespace

void forget_process() noexcept {
  g_process.starting.reset();
  g_process.account.forget();
  g_process.records.forget();
  g_process.physical.forget();
  g_process.joint.forget();
  forget_opened();
  forget_contexts();
  forget_stock();
  forget_overhead();
  forget_pacing();
}

bool update_pacing() noexcept {
  bool is_limited = false;
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) is_limited = is_limited || g_process.limits.core(i) != 0;
  const bool is_paced =
      g_process.board != nullptr || (is_limited && g_process.core_policy() != abi::CorePolicy::disable);
  g_process.is_paced.store(is_paced, std::memory_order_relaxed);
  return is_paced;
}

Mode start() noexcept {
  const ErrnoGuard keep_errno;
  const LockGuard guard(g_process.starting);
  Mode known = g_process.mode.load(std::memory_order_acquire);
  if (known == Mode::unknown) {
    known = find_mode();
    g_process.mode.store(known, std::memory_order_release);
  }
  return known;
}

}  // namespace hami::vgpu
