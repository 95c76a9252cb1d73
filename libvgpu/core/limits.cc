#include "libvgpu/core/limits.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "libvgpu/core/device_names.h"
#include "libvgpu/core/log.h"

namespace hami::vgpu {
namespace {

// The lower of two limits, where 0 means none.
std::uint64_t lower(std::uint64_t a, std::uint64_t b) noexcept {
  if (a == 0) return b;
  if (b == 0) return a;
  return a < b ? a : b;
}

}  // namespace

bool copy_slice(const abi::SliceFile& live, abi::SliceFile& copy) noexcept {
  // A writer needs microseconds: a few looks are enough to meet a sealed state.
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::memcpy(&copy, &live, sizeof copy);
    if (abi::is_valid(copy)) return true;
    ::sched_yield();
  }
  return false;
}

bool Limits::map_slice(const char* path, bool& absent) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  absent = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
  if (fd < 0) return false;
  void* memory = MAP_FAILED;
  // Touching a page behind the end of a file kills the process, so the size comes first.
  if (::lseek(fd, 0, SEEK_END) >= static_cast<off_t>(sizeof(abi::SliceFile))) {
    memory = ::mmap(nullptr, sizeof(abi::SliceFile), PROT_READ, MAP_SHARED, fd, 0);
  }
  ::close(fd);
  if (memory == MAP_FAILED) return false;
  live_ = static_cast<const abi::SliceFile*>(memory);
  return copy_slice(*live_, copy_);
}

LimitSource Limits::load(const char* slice_path, Lookup lookup) noexcept {
  environment_ = read_environment(lookup);
  if (environment_.bad_name != nullptr) {
    log(LogLevel::error, "cannot read ", environment_.bad_name, "='", environment_.bad_value, "' as a ",
        environment_.bad_kind,
        "; CUDA memory calls fail until it is corrected (examples: memory 3000m, percentage 30)");
    return source_ = LimitSource::unusable;
  }
  bool absent = false;
  if (map_slice(slice_path, absent)) {
    apply(copy_);
    return source_ = LimitSource::slice;
  }
  if (!absent) {
    log(LogLevel::error, "cannot read the limits in '", slice_path,
        "': missing permission, too short or damaged; CUDA memory calls fail");
    return source_ = LimitSource::unusable;
  }
  if (!environment_.any) return source_ = LimitSource::none;
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) {
    effective_[i].store(environment_.memory[i], std::memory_order_relaxed);
    core_[i].store(environment_.core[i], std::memory_order_relaxed);
  }
  return source_ = LimitSource::environment;
}

void Limits::apply(const abi::SliceFile& slice) noexcept {
  for (unsigned i = 0; i < slice.device_count; ++i) {
    effective_[i].store(lower(slice.devices[i].memory_limit, environment_.memory[i]),
                        std::memory_order_relaxed);
    const auto core = static_cast<std::uint32_t>(lower(slice.devices[i].core_limit, environment_.core[i]));
    core_[i].store(core < 100 ? core : 0, std::memory_order_relaxed);
  }
  core_policy_.store(slice.core_policy, std::memory_order_relaxed);
  share_floor_.store(slice.share_floor, std::memory_order_relaxed);
  seen_.store(slice.generation, std::memory_order_release);
}

void Limits::refresh() noexcept {
  const LockGuard guard(refreshing_);
  abi::SliceFile fresh;
  // A damaged slice leaves the limits as they were; the next call looks again.
  if (generation() != seen_.load(std::memory_order_relaxed) && copy_slice(*live_, fresh)) apply(fresh);
}

void Limits::follow(const std::atomic<std::uint64_t>* limits) noexcept {
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) as_found_[i] = limits[i].load(std::memory_order_relaxed);
  followed_ = limits;
}

void Limits::follow_as(const Limits& other) noexcept {
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) as_found_[i] = other.as_found_[i];
  followed_ = other.followed_;
}

int Limits::find(const char* uuid) const noexcept {
  for (unsigned i = 0; i < copy_.device_count; ++i) {
    if (same_uuid(copy_.devices[i].uuid, uuid)) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace hami::vgpu
