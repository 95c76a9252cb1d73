// The core limit at the launch functions: what libvgpu/share decides, with the driver's events, the clock and
// the sleep that it asks for.
//
// Nothing waits in a stream capture, with a lock of ours held, or in a call that runs on behalf of the
// driver. No thread is started: whoever has to wait collects the measurements.
#pragma once

#include <atomic>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/devices.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/share/pacer.h"

namespace hami::vgpu {

// Which stream the handle 0 means: decided by the name of the function that was called.
enum class Door : int { legacy, per_thread };

// Whether a launch waits for measurements of others. One that other launches may be waiting for on the card,
// as cooperative kernels do, only pays.
enum class Hold : int { by_samples, never };

// True when launches are paced in this process.
inline bool is_paced() noexcept {
  if (mode() != Mode::on) return false;
  if (g_process.is_paced.load(std::memory_order_relaxed)) [[likely]]
    return true;
  return g_process.limits.has_changed() && update_pacing();
}

// True when launches go straight to the driver, known without asking anything. A slice that was rewritten may
// have brought a limit.
inline bool is_free_of_pacing() noexcept {
  const Mode mode = g_process.mode.load(std::memory_order_acquire);
  if (mode == Mode::unknown) return false;
  return mode != Mode::on ||
         (!g_process.is_paced.load(std::memory_order_relaxed) && !g_process.limits.has_changed());
}

// True for the name of a launch function where nothing will ever be paced: programs get the driver's own.
bool is_idle_launch(const char* symbol) noexcept;

extern constinit share::Kernels g_kernels;
extern constinit thread_local share::Batch g_batches[abi::kMaxDevices];

// The container's index of the device that a launch of this thread goes to; -1 when there is none.
int launch_device() noexcept;

// One launch that its batch did not cover. Made before it, when its turn has come; told after it.
class SlowLaunch {
 public:
  SlowLaunch(unsigned device, share::Kernel& kernel, CUstream stream, Door door, Hold hold) noexcept;
  void done(CUresult status) noexcept;

 private:
  unsigned device_;
  CUstream stream_;
  Door door_;
  int slot_ = -1;                  // of the sample that this launch is
  std::uint64_t clean_until_ = 0;  // see share::Quiet
};

// True when a launch may go at once: nothing is paced, or this thread has paid for it already. Calls nothing,
// so that a launch goes on to the driver with its arguments where they are.
inline bool may_go_now(const share::LaunchShape& shape) noexcept {
  const Mode mode = g_process.mode.load(std::memory_order_acquire);
  if (mode == Mode::unknown) return false;
  if (mode != Mode::on) return true;
  if (!g_process.is_paced.load(std::memory_order_relaxed)) return !g_process.limits.has_changed();
  const int only = only_device();
  if (only < 0) return false;
  const share::Kernel* kernel = g_kernels.known(share::launch_key(shape));
  return kernel != nullptr && g_batches[only].spend(*kernel);
}

// Launches through `call` when it is this kernel's turn.
template <typename Call>
[[gnu::noinline]] CUresult paced_slowly(const share::LaunchShape& shape, CUstream stream, Door door,
                                        Hold hold, Call call) noexcept {
  if (!is_paced()) return call();
  const int device = launch_device();
  if (device < 0) return call();
  share::Kernel& kernel = g_kernels.find(share::launch_key(shape));
  if (g_batches[device].spend(kernel)) return call();
  SlowLaunch launch(static_cast<unsigned>(device), kernel, stream, door, hold);
  const CUresult status = call();
  launch.done(status);
  return status;
}

template <typename Call>
CUresult paced(const share::LaunchShape& shape, CUstream stream, Door door, Hold hold, Call call) noexcept {
  if (may_go_now(shape)) [[likely]]
    return call();
  return paced_slowly(shape, stream, door, hold, call);
}

// An executable graph has one cost, whatever its nodes.
inline share::LaunchShape graph_shape(CUgraphExec exec) noexcept {
  return {.function = exec, .grid = {0, 0, 0}, .block = {0, 0, 0}};
}

// The graph is about to end: its handle may be used again.
void forget_graph_cost(CUgraphExec exec) noexcept;

// A context is about to end, and with it the events in it.
void drop_samples() noexcept;

// In the child of a fork.
void forget_pacing() noexcept;

}  // namespace hami::vgpu
