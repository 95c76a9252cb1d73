#include "libvgpu/cuda/contexts.h"

#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/overhead.h"

namespace hami::vgpu {
namespace {

constexpr unsigned kPlaces = 1024;  // a power of two; a place's index + 1 is the number

// The context itself is the key: null was never used, kRetired may be used again.
struct Place {
  std::atomic<CUcontext> context;
  std::atomic<int>
      primary_of;  // ordinal + 1 of the device whose primary context this is; 0: created by the program
};
constinit Place g_places[kPlaces] = {};
constinit SpinLock g_changing;

// An address that no context and no place has.
CUcontext retired_mark() noexcept { return reinterpret_cast<CUcontext>(&g_changing); }

unsigned home(CUcontext context) noexcept {
  return static_cast<unsigned>((reinterpret_cast<std::uintptr_t>(context) * 0x9e3779b97f4a7c15ULL) >> 40U) %
         kPlaces;
}

unsigned find(CUcontext context) noexcept {
  for (unsigned i = 0; i < kPlaces; ++i) {
    const unsigned at = (home(context) + i) % kPlaces;
    const CUcontext there = g_places[at].context.load(std::memory_order_acquire);
    if (there == context) return at + 1;
    if (there == nullptr) return 0;
  }
  return 0;
}

unsigned add(CUcontext context, int primary_of, bool& is_new) noexcept {
  const LockGuard guard(g_changing);
  is_new = false;
  if (const unsigned known = find(context)) return known;
  for (unsigned i = 0; i < kPlaces; ++i) {
    Place& place = g_places[(home(context) + i) % kPlaces];
    const CUcontext there = place.context.load(std::memory_order_relaxed);
    if (there != nullptr && there != retired_mark()) continue;
    place.primary_of.store(primary_of, std::memory_order_relaxed);
    place.context.store(context, std::memory_order_release);
    is_new = true;
    return static_cast<unsigned>(&place - g_places) + 1;
  }
  return 0;
}

// Contexts are also made through the driver's private tables, so nobody told us whose primary context this
// is. Retaining one that is active costs a counter and nothing else.
int primary_device(CUcontext context) noexcept {
  CUdevice ordinal = -1;
  if (driver<&CudaDriver::cuCtxGetDevice>(&ordinal) != CUDA_SUCCESS || !is_primary_active(ordinal)) return 0;
  CUcontext primary = nullptr;
  if (driver<&CudaDriver::cuDevicePrimaryCtxRetain>(&primary, ordinal) != CUDA_SUCCESS) return 0;
  if (driver<&CudaDriver::cuDevicePrimaryCtxRelease_v2>(ordinal) == CUDA_ERROR_NOT_SUPPORTED) {
    driver<&CudaDriver::cuDevicePrimaryCtxRelease>(ordinal);
  }
  return primary == context ? ordinal + 1 : 0;
}

}  // namespace

bool is_primary_active(CUdevice ordinal) noexcept {
  unsigned flags = 0;
  int active = 0;
  return driver<&CudaDriver::cuDevicePrimaryCtxGetState>(ordinal, &flags, &active) == CUDA_SUCCESS &&
         active != 0;
}

unsigned current_context() noexcept {
  CUcontext context = nullptr;
  if (driver<&CudaDriver::cuCtxGetCurrent>(&context) != CUDA_SUCCESS || context == nullptr) return 0;
  if (const unsigned known = find(context)) [[likely]]
    return known;
  bool is_new = false;
  const unsigned number = add(context, primary_device(context), is_new);
  if (is_new && mode() == Mode::on) charge_adopted_context(context, number);
  return number;
}

Current current() noexcept {
  const int only = only_device();
  CUcontext context = nullptr;
  if (only >= 0 && driver<&CudaDriver::cuCtxGetCurrent>(&context) == CUDA_SUCCESS && context != nullptr) {
    if (const unsigned known = find(context)) [[likely]] {
      g_process.account.touch(static_cast<unsigned>(only));
      return {only, known};
    }
  }
  CUresult status = CUDA_SUCCESS;
  const int device = current_device_index(status);
  if (device < 0) return {-1, static_cast<std::uint64_t>(status)};
  return {device, current_context()};
}

unsigned note_context(CUcontext context, CUdevice primary_ordinal) noexcept {
  bool is_new = false;
  return add(context, primary_ordinal + 1, is_new);
}

// The place stays taken under a name that no context has: its number is on the objects.
void end_alias(CUcontext alias) noexcept {
  const LockGuard guard(g_changing);
  const unsigned number = alias != nullptr ? find(alias) : 0;
  if (number == 0) return;
  Place& place = g_places[number - 1];
  place.context.store(reinterpret_cast<CUcontext>(&place), std::memory_order_release);
}

template <typename Wanted>
void Ending::retire(Wanted wanted) noexcept {
  const LockGuard guard(g_changing);
  for (unsigned at = 0; at < kPlaces && count_ < kMax; ++at) {
    Place& place = g_places[at];
    const CUcontext there = place.context.load(std::memory_order_relaxed);
    if (there == nullptr || there == retired_mark() || !wanted(place)) continue;
    retired_[count_++] = {at + 1, there, place.primary_of.load(std::memory_order_relaxed)};
    place.context.store(retired_mark(), std::memory_order_release);
  }
}

Ending Ending::of(CUcontext context) noexcept {
  Ending ending;
  if (context != nullptr) {
    ending.retire(
        [=](const Place& place) { return place.context.load(std::memory_order_relaxed) == context; });
  }
  return ending;
}

Ending Ending::of_primary(CUdevice ordinal) noexcept {
  Ending ending;
  ending.retire(
      [=](const Place& place) { return place.primary_of.load(std::memory_order_relaxed) == ordinal + 1; });
  return ending;
}

void Ending::done(bool is_gone) noexcept {
  for (unsigned i = 0; i < count_; ++i) {
    if (is_gone) {
      g_process.records.take_owned(retired_[i].number, end_object);
      continue;
    }
    const LockGuard guard(g_changing);
    Place& place = g_places[retired_[i].number - 1];
    place.primary_of.store(retired_[i].primary_of, std::memory_order_relaxed);
    place.context.store(retired_[i].context, std::memory_order_release);
  }
}

void forget_contexts() noexcept {
  g_changing.reset();
  for (Place& place : g_places) {
    if (place.context.load(std::memory_order_relaxed) != nullptr)
      place.context.store(nullptr, std::memory_order_relaxed);
  }
}

}  // namespace hami::vgpu
