#include "libvgpu/cuda/overhead.h"

#include <time.h>

#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kDefaultStack = 1024;       // bytes of a thread
constexpr std::uint64_t kMostForOne = 2048 * kMiB;  // no context alone takes more: then the measure is wrong
constexpr std::uint64_t kLookPeriodMs = 1000;

// The driver's own code and buffers in a context, by the first compute capability they hold for; every
// thread's stack comes on top. Rounded from contexts of drivers 525 to 570.
struct Estimate {
  int major;
  std::uint64_t bytes;
};
constexpr Estimate kEstimates[] = {{9, 256 * kMiB}, {8, 160 * kMiB}, {7, 96 * kMiB}, {0, 64 * kMiB}};

// What NVML sees beyond every charge of ours, on each device.
struct Rest {
  SpinLock lock;
  std::atomic<std::uint64_t> looked_ms;  // 0: never
  std::uint64_t bytes;
};
constinit Rest g_rest[abi::kMaxDevices] = {};

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept {
  return (bytes + unit - 1) / unit * unit;
}

std::uint64_t now_ms() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::uint64_t attribute(CUdevice_attribute name, CUdevice ordinal) noexcept {
  int value = 0;
  driver<&CudaDriver::cuDeviceGetAttribute>(&value, name, ordinal);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

std::uint64_t threads_of(CUdevice ordinal) noexcept {
  return attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, ordinal) *
         attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, ordinal);
}

std::uint64_t estimate(CUdevice ordinal) noexcept {
  const auto major = static_cast<int>(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, ordinal));
  for (const Estimate& row : kEstimates) {
    if (major >= row.major) return round_up(row.bytes + threads_of(ordinal) * kDefaultStack, kBlock);
  }
  return 0;
}

std::atomic<std::uint64_t>& told(unsigned device) noexcept {
  return g_process.account.page()->context_bytes[device];
}

// What the container knows a context to take. False: nothing yet. Others may write the page.
bool known_cost(unsigned device, std::uint64_t& bytes) noexcept {
  const std::uint64_t word = told(device).load(std::memory_order_relaxed);
  if (word == 0 || word - 1 > kMostForOne) return false;
  bytes = word - 1;
  return true;
}

// What NVML sees beyond all charges but `reserved`; 0 when it sees less.
std::uint64_t beyond_charges(unsigned device, std::uint64_t held, std::uint64_t reserved) noexcept {
  const std::uint64_t charged = g_process.account.own(device) - reserved;
  return held > charged ? round_up(held - charged, kRecordUnit) : 0;
}

// The same, asked now, in a moment in which no other thread takes or gives: it would be in one of the two
// numbers alone. False: there is none, or NVML does not say.
bool measure(unsigned device, std::uint64_t reserved, std::uint64_t& out) noexcept {
  for (int round = 0; round < 16; ++round) {
    const std::uint64_t charged = g_process.account.own(device);
    std::uint64_t held = 0;
    if (!own_bytes(device, held)) return false;
    out = beyond_charges(device, held, reserved);
    if (g_process.account.own(device) == charged) return true;
  }
  return false;
}

bool become_exclusive(unsigned device) noexcept {
  constexpr int kMostRounds = 10'000;  // of 1 ms: a slow card makes a few contexts in this time
  const ErrnoGuard keep_errno;
  for (int round = 0; !g_process.account.try_exclusive(); ++round) {
    std::uint64_t bytes = 0;
    if (known_cost(device, bytes) || round == kMostRounds) return false;
    const timespec pause = {0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

bool keep_context(CUcontext context, unsigned number, Reservation& reservation) noexcept {
  if (reservation.bytes() == 0) return true;
  return keep(Space::context, reinterpret_cast<std::uintptr_t>(context), number, reservation);
}

}  // namespace

ContextMaking::ContextMaking(unsigned device, CUdevice ordinal) noexcept
    : device_(device), ordinal_(ordinal), reservation_(reserve(device, expect())) {}

// The table says more than some contexts take: where that is more than the whole limit, one that is alone may
// have all of it.
std::uint64_t ContextMaking::first_estimate() const noexcept {
  const std::uint64_t bytes = estimate(ordinal_);
  const std::uint64_t limit = limit_of(device_);
  return is_measured_ && limit != 0 && bytes > limit ? limit : bytes;
}

// Who must measure, or find itself in NVML's list, does so alone. Who finds another one in there waits only
// for the measure, and then does without a name in the list.
std::uint64_t ContextMaking::expect() noexcept {
  std::uint64_t bytes = 0;
  g_process.account.touch(device_);  // a process that is on the page may know what the host calls it
  const bool is_known = known_cost(device_, bytes);
  if (is_known && g_process.account.own_host_pid() != 0) return bytes;
  is_exclusive_ = become_exclusive(device_);
  if (is_exclusive_) before_.look(device_);
  if (known_cost(device_, bytes)) return bytes;
  is_measured_ = before_.is_known;
  return first_estimate();
}

ContextMaking::~ContextMaking() {
  if (is_exclusive_) g_process.account.end_exclusive();
}

bool ContextMaking::keep(CUcontext context, bool is_primary) noexcept {
  const unsigned number = note_context(context, is_primary ? ordinal_ : -1);
  g_rest[device_].looked_ms.store(now_ms(), std::memory_order_relaxed);
  std::uint64_t bytes = reservation_.bytes();
  if (is_exclusive_) {
    Witness after;
    after.look(device_);
    learn_self(before_, after);
    if (is_measured_ && measure(device_, reservation_.bytes(), bytes)) {
      if (bytes <= kMostForOne) told(device_).store(bytes + 1, std::memory_order_relaxed);
    } else if (is_measured_) {
      bytes = estimate(ordinal_);
    }
  }
  return reservation_.settle(bytes, limit_of(device_)) && keep_context(context, number, reservation_);
}

void charge_adopted_context(CUcontext context, unsigned number) noexcept {
  CUdevice ordinal = -1;
  if (driver<&CudaDriver::cuCtxGetDevice>(&ordinal) != CUDA_SUCCESS) return;
  const int index = device_index(ordinal);
  if (index < 0) return;
  const auto device = static_cast<unsigned>(index);
  std::uint64_t bytes = 0;
  if (own_bytes(device, bytes)) {
    bytes = beyond_charges(device, bytes, 0);
  } else if (!known_cost(device, bytes)) {
    bytes = estimate(ordinal);
  }
  g_process.account.charge(device, bytes);
  Reservation charged{g_process.account, device, bytes, Verdict::admitted};
  keep_context(context, number, charged);
}

Growth::Growth(unsigned device) noexcept : device_(device) {
  std::uint64_t held = 0;
  is_witnessed_ = own_bytes(device, held);
  held_ = held - g_process.account.own(device);
  std::size_t total = 0;
  std::size_t free = 0;
  if (!is_witnessed_ && driver<&CudaDriver::cuMemGetInfo_v2>(&free, &total) == CUDA_SUCCESS) free_ = free;
}

std::uint64_t Growth::bytes() const noexcept {
  std::uint64_t held = 0;
  std::int64_t grown = 0;
  if (is_witnessed_ && own_bytes(device_, held)) {
    grown = static_cast<std::int64_t>(held - g_process.account.own(device_) - held_);
  } else if (free_ != 0) {
    std::size_t total = 0;
    std::size_t free = 0;
    if (driver<&CudaDriver::cuMemGetInfo_v2>(&free, &total) == CUDA_SUCCESS) {
      grown = static_cast<std::int64_t>(free_ - free);
    }
  }
  return grown > 0 ? round_up(static_cast<std::uint64_t>(grown), kRecordUnit) : 0;
}

std::uint64_t bytes_of_limit(CUlimit limit, std::uint64_t value, CUdevice ordinal) noexcept {
  if (value > abi::kHeldMax) return abi::kHeldMax;
  if (limit != CU_LIMIT_STACK_SIZE) return round_up(value, kBlock);
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(value, threads_of(ordinal), &bytes) || bytes > abi::kHeldMax) {
    return abi::kHeldMax;
  }
  return round_up(bytes, kBlock);
}

void reconcile(unsigned device) noexcept {
  Rest& rest = g_rest[device];
  if (g_process.account.own_host_pid() == 0) return;
  const std::uint64_t now = now_ms();
  std::uint64_t last = rest.looked_ms.load(std::memory_order_relaxed);
  if (last == 0 || now - last < kLookPeriodMs) {
    if (last == 0) rest.looked_ms.store(now, std::memory_order_relaxed);
    return;
  }
  const TryGuard guard(rest.lock);
  if (!guard) return;
  rest.looked_ms.store(now, std::memory_order_relaxed);
  const std::uint64_t charged = g_process.account.own(device);
  std::uint64_t held = 0;
  // Only a quiet moment tells: what another thread takes meanwhile is in one of the two numbers alone.
  if (own_bytes(device, held) && g_process.account.own(device) == charged) {
    const std::uint64_t named = charged > rest.bytes ? charged - rest.bytes : 0;
    const std::uint64_t wanted = held > named ? round_up(held - named, kRecordUnit) : 0;
    if (wanted > rest.bytes) g_process.account.charge(device, wanted - rest.bytes);
    if (wanted < rest.bytes) g_process.account.refund(device, rest.bytes - wanted);
    rest.bytes = wanted;
  }
}

void forget_overhead() noexcept {
  for (Rest& rest : g_rest) {
    rest.lock.reset();
    rest.looked_ms.store(0, std::memory_order_relaxed);
    rest.bytes = 0;
  }
  forget_witness();
}

}  // namespace hami::vgpu
