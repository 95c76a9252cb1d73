#include "libvgpu/core/region.h"

#include <cstring>

#include "libvgpu/core/log.h"
#include "libvgpu/core/page_file.h"

namespace hami::vgpu {
namespace {

// The first words of a sem_t of glibc: the value, and on the second word that processes share it.
constexpr std::uint64_t kSemaphoreFree = 1;
constexpr std::int32_t kRecentKernel = 2;  // active lately: what HAMi-core starts with

bool is_region(const abi::HamiRegion& region) noexcept {
  return region.magic.load(std::memory_order_acquire) == abi::kRegionMagic &&
         region.major_version == abi::kRegionMajor && region.minor_version <= abi::kRegionMinor;
}

void clear(abi::RegionSlot& slot) noexcept {
  slot.status.store(0, std::memory_order_release);
  for (abi::RegionUse& use : slot.used) {
    use.data_size.store(0, std::memory_order_relaxed);
    use.total.store(0, std::memory_order_relaxed);
    use.context_size = 0;
  }
  slot.host_pid.store(0, std::memory_order_relaxed);
  slot.pid.store(0, std::memory_order_relaxed);
}

bool is_ready(const void* memory) noexcept { return is_region(*static_cast<const abi::HamiRegion*>(memory)); }

struct Setup {
  const RegionSettings* settings;
};

void prepare(void* memory, void* data) noexcept {
  auto* region = static_cast<abi::HamiRegion*>(memory);
  if (is_region(*region)) return;  // other processes count on it
  std::memset(memory, 0, sizeof *region);
  init_region(*region, *static_cast<Setup*>(data)->settings);
}

}  // namespace

void init_region(abi::HamiRegion& region, const RegionSettings& settings) noexcept {
  region.major_version = abi::kRegionMajor;
  region.minor_version = abi::kRegionMinor;
  region.semaphore[0] = kSemaphoreFree;
  region.start_semaphore[0] = kSemaphoreFree;
  region.utilization_switch.store(1, std::memory_order_relaxed);
  region.recent_kernel.store(kRecentKernel, std::memory_order_relaxed);
  region.priority = settings.priority;
  for (unsigned i = 0; i < abi::kRegionDevices; ++i) {
    region.sm_limit[i].store(settings.sm_limit[i], std::memory_order_relaxed);
  }
  region.magic.store(abi::kRegionMagic, std::memory_order_release);
}

bool Region::open(const char* path, const RegionSettings& settings) noexcept {
  Setup setup = {&settings};
  void* memory = map_shared_file(path, sizeof(abi::HamiRegion), is_ready, prepare, &setup);
  if (memory == nullptr) {
    log(LogLevel::error, "cannot prepare the shared region '", path,
        "' (CUDA_DEVICE_MEMORY_SHARED_CACHE names another file)");
    return false;
  }
  region_ = static_cast<abi::HamiRegion*>(memory);
  return true;
}

void Region::reset(const std::uint64_t* memory_limits, const RegionSettings& settings) noexcept {
  region_->priority = settings.priority;
  for (unsigned i = 0; i < abi::kRegionDevices; ++i) {
    region_->limit[i].store(memory_limits[i], std::memory_order_relaxed);
    region_->sm_limit[i].store(settings.sm_limit[i], std::memory_order_relaxed);
  }
  for (std::uint32_t i = 0; i < slots_in_use(); ++i) {
    abi::RegionSlot& slot = region_->slots[i];
    if (slot.status.load(std::memory_order_relaxed) != 0) clear(slot);
  }
}

void Region::name_device(unsigned device, const char* uuid) noexcept {
  if (device >= abi::kRegionDevices) return;
  char(&text)[96] = region_->uuids[device];
  if (text[0] == '\0') {
    const std::size_t length = ::strnlen(uuid, sizeof text - 1);
    std::memcpy(text + 1, uuid + 1, length > 0 ? length - 1 : 0);
    __atomic_store_n(&text[0], uuid[0], __ATOMIC_RELEASE);  // a reader takes a text that has begun for whole
  }
  std::uint64_t count = region_->device_count.load(std::memory_order_relaxed);
  while (count <= device && !region_->device_count.compare_exchange_weak(count, device + 1)) {
  }
}

// Slots beyond were never taken: most of the file's 2 MB is never looked at, and never brought into memory.
std::uint32_t Region::slots_in_use() const noexcept {
  const std::int32_t in_use = region_->slots_in_use.load(std::memory_order_acquire);
  if (in_use < 0) return 0;
  return static_cast<std::uint32_t>(in_use) < abi::kRegionSlots ? static_cast<std::uint32_t>(in_use)
                                                                : abi::kRegionSlots;
}

void Region::attach(std::uint32_t slot, std::uint32_t pid, std::uint32_t host_pid) noexcept {
  if (slot >= abi::kRegionSlots) return;
  std::int32_t in_use = region_->slots_in_use.load(std::memory_order_relaxed);
  const auto wanted = static_cast<std::int32_t>(slot) + 1;
  while (in_use < wanted && !region_->slots_in_use.compare_exchange_weak(in_use, wanted)) {
  }
  abi::RegionSlot& mine = region_->slots[slot];
  clear(mine);
  mine.pid.store(static_cast<std::int32_t>(pid), std::memory_order_relaxed);
  mine.host_pid.store(static_cast<std::int32_t>(host_pid), std::memory_order_relaxed);
  mine.status.store(abi::kRegionRunning, std::memory_order_release);
}

void Region::drop_dead(const abi::UsagePage& page) noexcept {
  for (std::uint32_t i = 0; i < slots_in_use(); ++i) {
    abi::RegionSlot& slot = region_->slots[i];
    if (slot.status.load(std::memory_order_relaxed) != 0 && abi::slot_pid(page.slots[i]) == 0) clear(slot);
  }
}

}  // namespace hami::vgpu
