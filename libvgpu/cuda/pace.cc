#include "libvgpu/cuda/pace.h"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/share/policy.h"
#include "libvgpu/share/turn.h"

namespace hami::vgpu {

constinit share::Kernels g_kernels;
constinit thread_local share::Batch g_batches[abi::kMaxDevices] = {};

namespace {

using share::Samples;
using share::Share;

// The events of one sample slot; they stay for the next sample in the same context.
struct Events {
  CUevent start;
  CUevent end;
  unsigned context;  // its number, see contexts.h; 0: no events
  const void* line;  // see line_of()
};

// One device of the container in this process.
struct PacedDevice {
  share::Pacer pacer;
  share::MonitorWord monitor;
  share::Neighbourhood others;
  CardBoards boards;
  std::atomic<std::uint32_t> pid{0};  // 0: not attached to the page yet
  SpinLock attaching;
  SpinLock collecting;
  Events events[Samples::kSlots] = {};
  Events latest = {};  // of the measured launches the one that ended last
};
constinit PacedDevice g_paced[abi::kMaxDevices];

std::uint64_t read_clock(clockid_t clock) noexcept {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * share::kSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t now() noexcept { return read_clock(CLOCK_MONOTONIC); }

// Short waits spin: a sleep takes longer to begin and end.
void wait_until(std::uint64_t time) noexcept {
  constexpr std::uint64_t kSpin = 20 * share::kMicrosecond;
  std::uint64_t current = now();
  if (time > current + kSpin) {
    const timespec until = {static_cast<time_t>(time / share::kSecond),
                            static_cast<long>(time % share::kSecond)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    return;
  }
  while (current < time) current = now();
}

// Our own calls must not break a capture that this thread or another one is making.
class RelaxedCapture {
 public:
  RelaxedCapture() noexcept {
    is_changed_ = driver<&CudaDriver::cuThreadExchangeStreamCaptureMode>(&mode_) == CUDA_SUCCESS;
  }
  ~RelaxedCapture() {
    if (is_changed_) driver<&CudaDriver::cuThreadExchangeStreamCaptureMode>(&mode_);
  }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  CUstreamCaptureMode mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;
  bool is_changed_ = false;
};

// A launch into a capture does not run: it is neither paid nor held. What the driver will not say counts as
// one.
bool is_capturing(CUstream stream, Door door) noexcept {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  const CUresult result = door == Door::legacy
                              ? driver<&CudaDriver::cuStreamIsCapturing>(stream, &status)
                              : driver<&CudaDriver::cuStreamIsCapturing_ptsz>(stream, &status);
  if (result == CUDA_ERROR_NOT_SUPPORTED) return false;  // a driver older than capture
  return result != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

CUresult record(CUevent event, CUstream stream, Door door) noexcept {
  return door == Door::legacy ? driver<&CudaDriver::cuEventRecord>(event, stream)
                              : driver<&CudaDriver::cuEventRecord_ptsz>(event, stream);
}

// What a launch waits in: its stream. Each thread has a default stream of its own.
const void* line_of(CUstream stream, Door door) noexcept {
  constexpr std::uintptr_t kPerThread = 2;  // CU_STREAM_PER_THREAD
  const bool is_own =
      stream == nullptr ? door == Door::per_thread : reinterpret_cast<std::uintptr_t>(stream) == kPerThread;
  return is_own ? static_cast<const void*>(&g_batches) : stream;
}

std::int64_t nanoseconds(float milliseconds) noexcept {
  return static_cast<std::int64_t>(static_cast<double>(milliseconds) * share::kMillisecond);
}

// By how much `to` was reached after `from`.
bool gap_between(CUevent from, CUevent to, std::int64_t& gap) noexcept {
  float milliseconds = 0;
  if (driver<&CudaDriver::cuEventElapsedTime>(&milliseconds, from, to) != CUDA_SUCCESS) return false;
  gap = nanoseconds(milliseconds);
  return true;
}

// What a measured launch says, beside the latest one that was measured in another stream. False: nothing.
bool read_span(const Events& events, const Events& latest, share::Span& span) noexcept {
  std::int64_t elapsed = 0;
  if (!gap_between(events.start, events.end, elapsed)) return false;
  span.elapsed = elapsed > 0 ? static_cast<std::uint64_t>(elapsed) : 1;
  if (latest.context != events.context || latest.line == events.line) return true;
  span.has_other = gap_between(latest.start, events.start, span.begin_gap) &&
                   gap_between(latest.end, events.end, span.end_gap);
  return true;
}

void destroy(Events& events) noexcept {
  if (events.context == 0) return;
  driver<&CudaDriver::cuEventDestroy_v2>(events.start);
  driver<&CudaDriver::cuEventDestroy_v2>(events.end);
  events = {};
}

bool prepare(Events& events) noexcept {
  const unsigned context = current_context();
  if (context == 0) return false;
  if (events.context == context) return true;
  destroy(events);
  if (driver<&CudaDriver::cuEventCreate>(&events.start, 0U) != CUDA_SUCCESS) return false;
  if (driver<&CudaDriver::cuEventCreate>(&events.end, 0U) != CUDA_SUCCESS) {
    driver<&CudaDriver::cuEventDestroy_v2>(events.start);
    return false;
  }
  events.context = context;
  return true;
}

void look_around(PacedDevice& device, unsigned index, std::uint64_t time) noexcept {
  CardPath path;
  card_path(index, path);
  device.boards.look(path, time, g_process.board_inode, device.others);
}

PacedDevice& attach(unsigned index) noexcept {
  PacedDevice& device = g_paced[index];
  if (device.pid.load(std::memory_order_acquire) != 0) [[likely]]
    return device;
  const LockGuard guard(device.attaching);
  const abi::SliceFile& slice = g_process.limits.slice();
  share::Seat seat;
  if (g_process.board != nullptr) {
    look_around(device, index, now());
    seat = {&device.others, &g_process.board->devices[index], device.boards.own_id(), slice.priority};
  }
  device.pacer.attach(g_process.account.page()->devices[index].core, g_kernels, seat);
  device.pid.store(static_cast<std::uint32_t>(::getpid()), std::memory_order_release);
  return device;
}

// What HAMi's monitor says of the neighbours, where it may look at us; and what it wants to know of us.
share::Neighbours ask_monitor(PacedDevice& device, std::uint64_t time) noexcept {
  Region& region = g_process.region;
  if (!region.is_open()) return share::Neighbours::unknown;
  constexpr std::int32_t kJustNow = 2;
  bool take_back = false;
  const std::int32_t recent = region.recent_kernel();
  const share::Neighbours neighbours =
      device.monitor.read(region.utilization_switch(), recent, time, take_back);
  const bool is_shown = recent == kJustNow && !take_back;
  if (neighbours != share::Neighbours::important && !is_shown) {
    region.note_kernel(take_back ? 0 : kJustNow, read_clock(CLOCK_REALTIME) / share::kSecond);
  }
  return neighbours;
}

// Boards say more than a monitor that looks now and then; a pause of the monitor's counts beside them.
share::Neighbours ask_around(PacedDevice& device, unsigned index, std::uint64_t time) noexcept {
  const share::Neighbours told = ask_monitor(device, time);
  if (g_process.board == nullptr) return told;
  look_around(device, index, time);
  const share::Neighbours seen = device.pacer.quiet().who(time);
  return seen == share::Neighbours::unknown || told == share::Neighbours::important ? told : seen;
}

Share floor_share() noexcept {
  const std::uint32_t floor = g_process.limits.share_floor();
  return floor == 0 || floor > 1000 ? share::kDefaultFloor : Share{floor};
}

Share share_of(PacedDevice& device, unsigned index, std::uint64_t time) noexcept {
  const Share limit = share::share_of_percent(g_process.limits.core(index));  // first: it reads a new slice
  return share::share_now(g_process.core_policy(), limit, floor_share(), ask_around(device, index, time));
}

// Takes over the samples that have ended. One thread does, others go on.
void collect(PacedDevice& device, Share share) noexcept {
  if (!device.collecting.try_lock()) return;
  Samples& samples = device.pacer.samples();
  int slots[Samples::kSlots];
  const int count = samples.in_order(slots);
  for (int k = 0; k < count; ++k) {
    const int i = slots[k];
    Events& events = device.events[i];
    const CUresult status = driver<&CudaDriver::cuEventQuery>(events.end);
    if (status == CUDA_ERROR_NOT_READY) continue;
    share::Span span;
    if (status == CUDA_SUCCESS && read_span(events, device.latest, span)) {
      device.pacer.measured(i, now(), span, share, device.pid.load());
      if (!span.has_other || span.end_gap >= 0) std::swap(events, device.latest);
    } else {
      events = {};  // its context has failed
    }
    samples.end(i);
  }
  device.collecting.unlock();
}

// Begins to measure the launch that follows: its slot, or -1.
int begin_sample(PacedDevice& device, share::Kernel& kernel, CUstream stream, Door door) noexcept {
  Samples& samples = device.pacer.samples();
  const int slot = samples.begin(kernel);
  if (slot < 0) return slot;
  Events& events = device.events[slot];
  if (prepare(events) && record(events.start, stream, door) == CUDA_SUCCESS) {
    events.line = line_of(stream, door);
    return slot;
  }
  samples.end(slot);
  return -1;
}

// A slice that is rewritten may bring a limit, but not to programs that started under the policy of none.
bool may_be_limited_later() noexcept {
  constexpr auto kNever = static_cast<std::uint32_t>(abi::CorePolicy::disable);
  return g_process.limits.source() == LimitSource::slice && g_process.limits.slice().core_policy != kNever;
}

}  // namespace

bool is_idle_launch(const char* symbol) noexcept {
  return std::strncmp(symbol, "cuLaunch", 8) == 0 && std::strcmp(symbol, "cuLaunchHostFunc") != 0 &&
         !is_paced() && !may_be_limited_later();
}

int launch_device() noexcept {
  const int only = only_device();
  if (only >= 0) return only;
  CUresult status = CUDA_SUCCESS;
  return current_device_index(status);
}

SlowLaunch::SlowLaunch(unsigned device, share::Kernel& kernel, CUstream stream, Door door, Hold hold) noexcept
    : device_(device), stream_(stream), door_(door) {
  const ErrnoGuard keep_errno;
  if (is_capturing(stream, door)) return;
  const RelaxedCapture relaxed;
  PacedDevice& paced = attach(device);
  share::Turn turn(paced.pacer, g_batches[device], kernel, hold == Hold::by_samples);
  for (;;) {
    const std::uint64_t time = now();
    const Share share = share_of(paced, device, time);
    collect(paced, share);
    const std::uint64_t again = turn.step(time, share);
    if (again == 0) break;
    wait_until(again);
  }
  clean_until_ = turn.clean_until();
  slot_ = begin_sample(paced, kernel, stream, door);
  if (slot_ < 0 && clean_until_ != 0) paced.pacer.quiet().release(now());
}

void SlowLaunch::done(CUresult status) noexcept {
  if (slot_ < 0) return;
  const ErrnoGuard keep_errno;
  const RelaxedCapture relaxed;
  PacedDevice& paced = g_paced[device_];
  if (status == CUDA_SUCCESS && record(paced.events[slot_].end, stream_, door_) == CUDA_SUCCESS) {
    paced.pacer.samples().launched(slot_, now(), clean_until_);
  } else {
    if (clean_until_ != 0) paced.pacer.quiet().release(now());
    paced.pacer.samples().end(slot_);
  }
}

void forget_graph_cost(CUgraphExec exec) noexcept { g_kernels.forget(share::launch_key(graph_shape(exec))); }

void drop_samples() noexcept {
  if (!is_paced()) return;
  for (PacedDevice& device : g_paced) {
    if (device.pid.load(std::memory_order_acquire) == 0) continue;
    const LockGuard guard(device.collecting);
    for (int i = 0; i < Samples::kSlots; ++i) {
      if (device.pacer.samples().is_launched(i)) device.pacer.samples().end(i);
      destroy(device.events[i]);
    }
    destroy(device.latest);
  }
}

void forget_pacing() noexcept {
  for (PacedDevice& device : g_paced) {
    device.attaching.reset();
    device.collecting.reset();
    device.pacer.samples().clear();
    device.pacer.quiet().clear();
    device.others.forget();
    device.boards.forget();
    device.pid.store(0, std::memory_order_relaxed);
    for (Events& events : device.events) events = {};
    device.latest = {};
  }
  g_kernels.clear();
  for (share::Batch& batch : g_batches) batch = {};
  forget_only_device();
}

}  // namespace hami::vgpu
